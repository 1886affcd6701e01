"""A table with mixed columns: countries over 55 years. Beside `make serve`:

.venv/bin/python -m examples.table
"""

import sys
from typing import Any

import numpy as np
from plotly.data import gapminder
from rich.console import Console
from rich.table import Table

from client import KVAE

ADDRESS = "http://localhost:8000"


def main(address: str = ADDRESS, **config: Any) -> None:
    """Leaves countries.csv behind. Raises KVAEError."""
    countries = gapminder().rename(columns={"lifeExp": "life expectancy"})
    countries["log10 GDP a head"] = np.log10(countries.pop("gdpPercap"))
    columns = ["continent", "life expectancy", "log10 GDP a head"]

    with KVAE(address) as kvae:
        # text columns become one 0/1 column a category; what is not named is left out
        options: dict[str, Any] = {"columns": columns, "categories": "onehot"}
        model = kvae.train(countries, components=6, name="countries", config=config, **options)
        found = kvae.assign(countries, include=["outlier_score"], model=model.id)
        details = [kvae.models.component(j, model.id) for j in range(6)]
        kvae.sample_file("countries.csv", 200, seed=0, model=model.id)

    table = Table(
        "component", "rows", "what it is", "in 1952", "in 2007", title="Countries, 1952 to 2007"
    )
    for detail in details:
        own = countries[found["component"] == detail.component]
        told = [f"{f.name} {f.mean:.3g} ({f.shift:+.1f})" for f in detail.features[:3]]
        years = (own[own["year"] == year]["country"] for year in (1952, 2007))
        some = [f"{len(names)}: {', '.join(names[:3])}" for names in years]
        table.add_row(
            str(detail.component), str(detail.size), "\n".join(told), *some, end_section=True
        )
    Console().print(table, "In brackets: standard deviations from the mean of all. Least likely:")
    strangest = countries.assign(outlier=found["outlier_score"]).nlargest(3, "outlier")
    Console().print(strangest[["country", "year", *columns[1:], "outlier"]].to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
