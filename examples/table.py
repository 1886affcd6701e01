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
        dataset = kvae.upload(countries, name="countries", columns=columns, categories="onehot")
        model = kvae.train(dataset, components=6, config=config)
        found = kvae.assign(countries, include=["outlier_score"], model=model.id)
        details = [kvae.models.component(j, model.id) for j in range(6)]
        kvae.sample_file("countries.csv", 200, seed=0, model=model.id)

    table = Table("component", "what it is", "typical", "1952", "2007", title="Countries")
    for detail in details:
        own = countries[found["component"] == detail.component]
        told = [f"{f.name} {f.mean:.2f} ({f.shift:+.1f})" for f in detail.features[:3]]
        rows = countries.iloc[[point.row for point in detail.typical[:3]]]
        typical = [f"{row.country} {row.year}" for row in rows.itertuples()]
        then, now = (str(sum(own.year == year)) for year in (1952, 2007))
        cells = str(detail.component), "\n".join(told), "\n".join(typical), then, now
        table.add_row(*cells, end_section=True)
    Console().print(table, "In brackets: standard deviations from the mean of all. Least likely:")
    strangest = countries.assign(outlier=found["outlier_score"]).nlargest(3, "outlier")
    Console().print(strangest[["country", "year", *columns[1:], "outlier"]].to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
