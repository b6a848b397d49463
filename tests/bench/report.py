# SPDX-License-Identifier: MIT
"""report - medians as a table, and as a picture: one bar a guest, relative to the tuned Linux guest."""
import html
import statistics

ROW, BAR, LEFT, WIDTH = 16, 11, 290, 420
COLOURS = {"weft": "#2f6f4f", "linux tuned": "#b0762f", "linux": "#c9b08a"}


def kind_of(name):
    return next(k for k in ("linux tuned", "linux", "weft") if name.startswith(k))


def medians(results):
    return {key: statistics.median(values) for key, values in results.items() if values}


def table(results, metrics, names):
    """Text: a line a metric, a column a guest."""
    middle = medians(results)
    width = max(len(m) for m in metrics) + 2
    lines = [" " * width + "".join(f"{n:>20}" for n in names)]
    for metric in metrics:
        cells = (f"{middle[name, metric]:20.2f}" if (name, metric) in middle else f"{'-':>20}" for name in names)
        lines.append(f"{metric:{width}}" + "".join(cells))
    return "\n".join(lines)


def picture(results, metrics, better_up, nics):
    """An SVG: for each NIC and metric how Weft does where the tuned Linux guest is 1 (longer is better)."""
    middle = medians(results)
    parts, y = [], 24
    for nic in nics:
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{html.escape(nic)}</text>')
        y += ROW
        for metric in metrics:
            weft, linux = middle.get((f"weft {nic}", metric)), middle.get((f"linux tuned {nic}", metric))
            if not weft or not linux:
                continue
            ratio = weft / linux if better_up[metric] else linux / weft
            length = min(ratio, 6) * WIDTH / 6
            parts.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{html.escape(metric)}</text>'
                         f'<rect x="{LEFT}" y="{y - BAR + 1}" width="{length:.0f}" height="{BAR}" '
                         f'fill="{COLOURS["weft"]}"/><text x="{LEFT + length + 5:.0f}" y="{y}">{ratio:.2f}</text>')
            y += ROW
        y += ROW // 2
    one = LEFT + WIDTH / 6
    line = f'<line x1="{one:.0f}" y1="10" x2="{one:.0f}" y2="{y}" stroke="{COLOURS["linux tuned"]}" stroke-width="2"/>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{y + 30}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>{line}'
            + "".join(parts) + f'<text x="8" y="{y + 14}" fill="#666">Weft against a tuned Linux guest (the line) in '
            "the same QEMU; medians, longer is better</text></svg>\n")
