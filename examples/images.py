"""Images: handwritten digits become kinds of strokes. Beside `make serve`:

.venv/bin/python -m examples.images
"""

import sys
from collections import Counter
from typing import Any

import numpy as np
from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from sklearn.datasets import load_digits

from client import KVAE

ADDRESS = "http://localhost:8000"


def main(address: str = ADDRESS, **config: Any) -> None:
    """Leaves digits.png behind. Raises KVAEError."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.uint8)
    seen, new = images[:1_500], images[1_500:]

    with KVAE(address) as kvae:
        model = kvae.train(seen, components=10, name="digits", config=config)
        found = kvae.assign(new, include=["confidence"], model=model.id)
        kvae.sample_file("digits.png", 100, seed=0, model=model.id)
        drawn = {
            j: kvae.sample(1, component=j, seed=0, model=model.id).points[0] for j in range(10)
        }

    panels = []
    for j, alpha in enumerate(model.alpha):
        own = labels[1_500:][found["components"] == j].tolist()
        digits = ", ".join(f"{n} x {digit}" for digit, n in Counter(own).most_common(3))
        panels.append(Panel(ascii_of(drawn[j]), title=f"{j}: {alpha:.0%}", subtitle=digits))
    console = Console()
    console.print("What each component makes up, its alpha, and which new digits it was given:")
    console.print(Columns(panels))
    console.print("The labels were never sent: they only judge. More samples are in digits.png.")


def ascii_of(image: np.ndarray[Any, Any]) -> str:
    """An image (H, W) as text."""
    shades = " ░▒▓█"
    steps = np.clip(image / 16 * len(shades), 0, len(shades) - 1).astype(int)
    return "\n".join("".join(2 * shades[step] for step in row) for row in steps)


if __name__ == "__main__":
    main(*sys.argv[1:])
