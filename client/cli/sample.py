"""`kvae sample`"""

import click

from client.cli.files import Target, writing
from client.cli.options import connected, of_model
from client.kvae import KVAE


@click.command()
@click.option("-n", default=16, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--component", type=int, help="From this one; else from the mixture of all.")
@click.option("--seed", type=click.IntRange(0), help="The same gives the same; else a new one.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 2, min_open=True),
    default=1.0,
    show_default=True,
    help="How much they vary.",
)
@of_model
@writing("csv", "parquet", "arrow", "npy", "npz", "json", "png")
@connected
def sample(
    kvae: KVAE,
    n: int,
    component: int | None,
    seed: int | None,
    temperature: float,
    model: str,
    target: Target,
    media_type: str,
) -> None:
    """Make up points of a component or of the mixture.

    They come in the data's own columns and units; as PNG a grid of images or a scatter plot.

    \b
    Examples:
      kvae sample -n 1000 -o samples.csv
      kvae sample -n 100 --component 3 --seed 1 -o samples.png
      kvae sample -n 5 --format json | jq .points
    """
    kvae.sample_file(
        target,
        n,
        component=component,
        seed=seed,
        temperature=temperature,
        model=model,
        media_type=media_type,
    )
