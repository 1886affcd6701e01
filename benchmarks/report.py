"""Tables 1a and 1b as Markdown, the paper's figures beside ours."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import mean

from benchmarks.scale import FULL, Row, Scale

# Locatello et al. (2018), Table 1
PAPER = {
    ("3 modes", "kVAEs"): -4.59,
    ("3 modes", "bag"): -6.49,
    ("3 modes", "VAE-150"): -5.42,
    ("5 modes", "kVAEs"): -2.74,
    ("5 modes", "bag"): -7.7,
    ("5 modes", "VAE-150"): -5.71,
    ("9 modes", "kVAEs"): -2.51,
    ("9 modes", "bag"): -7.05,
    ("9 modes", "VAE-150"): -6.83,
    ("MNIST", "kVAEs"): 9.99,
    ("MNIST", "kVAEs init"): 15.33,
    ("MNIST", "bag"): 21.38,
    ("MNIST", "VAE-64"): 17.96,
    ("MNIST", "VAE-512"): 9.44,
}
BARS = (  # the most that a FID may be of another
    ("kVAEs", "VAE-64", 0.56),
    ("kVAEs", "VAE-512", 1.06),
    ("default", "single VAE, same latent fit", 0.5),
    ("default", "single VAE, N(0, I)", 0.2),
)
ORDER = (
    "kVAEs",
    "kVAEs init",
    "bag",
    "VAE-150",
    "VAE-64",
    "VAE-512",
    "default",
    "single VAE, same latent fit",
    "single VAE, N(0, I)",
    "true samples",
    "oracle",
)
NO_MNIST = "MNIST is left out: KVAE_DATA names no folder of data sets.\n"

Figures = dict[str, float]
Table = dict[tuple[str, str], Figures]


def averaged(rows: Sequence[Row]) -> Table:
    """Mean figures and seconds over the seeds, by data set and method."""
    table: Table = {}
    keys = {(row.data, row.method) for row in rows}
    for data, method in sorted(keys, key=lambda key: (key[0], ORDER.index(key[1]))):
        same = [row for row in rows if (row.data, row.method) == (data, method)]
        names = same[0].figures
        means = {name: mean(row.figures[name] for row in same) for name in names}
        table[data, method] = {**means, "seconds": mean(row.seconds for row in same)}
    return table


def markdown(rows: Sequence[Row], scale: Scale, minutes: float, features: str) -> str:
    """The whole report; ``features`` names what images are compared on."""
    table = averaged(rows)
    synthetic = {key: figures for key, figures in table.items() if key[0] != "MNIST"}
    images = {key: figures for key, figures in table.items() if key[0] == "MNIST"}
    parts = [
        f"# Table 1 of Locatello et al. (2018), scale {scale.name}\n",
        f"{minutes:.0f} minutes on two processes of one thread. {_reductions(scale)}\n",
        "## Table 1a: log-likelihood of true points, nats, higher is better\n",
        _section(synthetic, "log_likelihood", "ari"),
        "Gaussian KDE on 64,000 samples; its bandwidth is chosen on held-out points. `true samples`"
        " is what samples of the truth get.\n",
        "## Table 1b: FID, lower is better\n",
    ]
    if not images:
        return "\n".join([*parts, NO_MNIST])
    note = (
        f"10,000 samples against the test images on {features} features: compare rows with each "
        "other, and their ratios with the paper's, whose features are Inception's.\n"
    )
    return "\n".join([*parts, _section(images, "fid", "coverage"), note, _bars(images)])


def _section(table: Table, figure: str, beside: str) -> str:
    lines = [f"| data | method | paper | ours | {beside} | seconds |", "| --- " * 6 + "|"]
    for (data, method), figures in table.items():
        paper, other = PAPER.get((data, method), ""), figures.get(beside)
        shown = f"{paper} | {figures[figure]:.3f} | {'' if other is None else f'{other:.3f}'}"
        lines.append(f"| {data} | {method} | {shown} | {figures['seconds']:.0f} |")
    return "\n".join(lines) + "\n"


def _bars(images: Table) -> str:
    """FID of one method over another's."""
    lines = ["| FID of | over that of | paper | ours | bar |", "| --- " * 5 + "|"]
    for one, other, bar in BARS:
        ours = images["MNIST", one]["fid"] / images["MNIST", other]["fid"]
        keys = ("MNIST", one), ("MNIST", other)
        paper = f"{PAPER[keys[0]] / PAPER[keys[1]]:.2f}" if keys[0] in PAPER else ""
        lines.append(f"| {one} | {other} | {paper} | {ours:.2f} | {bar} |")
    return "\n".join(lines) + "\n"


def _reductions(scale: Scale) -> str:
    ours, full = asdict(scale), asdict(FULL)
    reduced = [
        f"{name.replace('_', ' ')} {ours[name]:,} of {full[name]:,}"
        for name in full
        if name != "name" and ours[name] != full[name]
    ]
    return f"Reduced: {'; '.join(reduced)}." if reduced else "All of the paper's lengths."
