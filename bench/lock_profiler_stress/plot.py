"""A plot of throughput by configuration, as SVG: a dot for the mean, a line for its confidence interval."""

import html
from collections.abc import Mapping

LEFT, WIDTH, LINE, TOP = 190, 430, 24, 46
COLOURS = ("#1f6f8b", "#c8553d", "#6a994e")


def bars(found: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> str:
    """found: {configuration: {percentage: (mean, low, high)}}, of throughput without a profiler."""
    modes = list(dict.fromkeys(mode for intervals in found.values() for mode in intervals))
    top = max([1.1] + [min(high, 1.4) for intervals in found.values() for _, _, high in intervals.values()])

    def x(ratio: float) -> float:
        return LEFT + WIDTH * max(0.0, min(ratio, top)) / top

    height = TOP + LINE * len(found) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="100%" fill="#fff"/><text x="{LEFT}" y="18" font-size="14">'
           'Throughput with the profiler, of that without</text>']
    for i, mode in enumerate(modes):
        out.append(f'<circle cx="{LEFT + 6 + 110 * i}" cy="33" r="4" fill="{COLOURS[i]}"/>'
                   f'<text x="{LEFT + 16 + 110 * i}" y="37">{html.escape(mode)} % captured</text>')
    for tick in (0, 0.25, 0.5, 0.75, 1):
        colour = "#888" if tick == 1 else "#ddd"
        out.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{height - 24}" stroke="{colour}"/>'
                   f'<text x="{x(tick):.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>')
    for row, (name, intervals) in enumerate(found.items()):
        middle = TOP + LINE * row + LINE / 2
        out.append(f'<text x="{LEFT - 10}" y="{middle + 4}" text-anchor="end">{html.escape(name)}</text>')
        for i, mode in enumerate(modes):
            mean, low, high = intervals[mode]
            y = middle + (i - (len(modes) - 1) / 2) * 8
            out.append(f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[i]}" stroke-width="2"/>'
                       f'<circle cx="{x(mean):.1f}" cy="{y}" r="4" fill="{COLOURS[i]}"><title>{name}, {mode} %: {mean:.3f}'
                       f' ({low:.3f} to {high:.3f})</title></circle>')
    return "\n".join([*out, "</svg>"]) + "\n"
