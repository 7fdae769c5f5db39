"""What was measured, as tables, as JSON and as a plot."""
import json
import math
import os


def time_text(seconds):
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds * 1e6:.1f} us" if seconds >= 1e-6 else f"{seconds * 1e9:.1f} ns"


UNITS = {
    "s": time_text,
    "B/s": lambda v: f"{v / 1e6:.0f} MB/s",
    "B": lambda v: f"{v / 1e6:.2f} MB" if v >= 1e5 else f"{v / 1e3:.1f} kB",
    "": lambda v: f"{v:.3g}",
}


class Table:
    """One topic: rows of our figure, the limit measured beside it, and their ratio."""

    def __init__(self, number, title, limit="limit", note=""):
        self.number, self.title, self.limit_name, self.note, self.rows = number, title, limit, note, []

    def add(self, what, ours, unit, limit=None, at_most=None, at_least=None, ratio_at_most=None, ratio_at_least=None, **plot):
        """Targets: of the figure itself or of its ratio to the limit. Keywords that are left go to results.json, for the plot."""
        ratio = ours / limit if limit else None
        checks = [(ours, at_most, "<="), (ours, at_least, ">="), (ratio, ratio_at_most, "ratio <="), (ratio, ratio_at_least, "ratio >=")]
        met, target = None, ""
        for value, bound, sign in checks:
            if bound is None or value is None:
                continue
            good = value <= bound if "<" in sign else value >= bound
            met = good if met is None else met and good
            target += f"{', ' if target else ''}{sign} {bound if 'ratio' in sign else UNITS[unit](bound)}"
        self.rows.append(dict(what=what, ours=ours, unit=unit, limit=limit, ratio=ratio, target=target, met=met, **plot))
        return self

    def text(self):
        lines = [f"{self.number}. {self.title}"]
        shown = [("", "ours", self.limit_name, "ratio", "target", "")]
        for row in self.rows:
            unit = UNITS[row["unit"]]
            shown.append((row["what"], unit(row["ours"]), unit(row["limit"]) if row["limit"] else "", f"{row['ratio']:.2f}" if row["ratio"] else "",
                          row["target"], {True: "met", False: "NOT MET", None: ""}[row["met"]]))
        widths = [max(len(row[i]) for row in shown) for i in range(6)]
        for row in shown:
            lines.append("  " + "  ".join(f"{cell:<{width}}" if i in (0, 4, 5) else f"{cell:>{width}}" for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
        return "\n".join(lines + ([f"  ({self.note})"] if self.note else [])) + "\n"


def write_json(path, tables, about):
    with open(path, "w") as file:
        json.dump(dict(about=about, topics=[dict(number=t.number, title=t.title, limit=t.limit_name, rows=t.rows) for t in tables]), file, indent=1)
        file.write("\n")


COLOURS = ["#1b6ca8", "#c8553d", "#588b3a", "#8a5a99", "#b8860b", "#444444"]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 470, 330, 70, 40, 20, 60


def panel(x0, title, y_title, curves):
    """One diagram, both axes logarithmic. curves: {name: [(megabytes, value)]}."""
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    low_x, high_x = min(p[0] for p in points), max(p[0] for p in points)
    low_y, high_y = 10 ** math.floor(math.log10(min(p[1] for p in points))), 10 ** math.ceil(math.log10(max(p[1] for p in points)))
    high_y = high_y if high_y > low_y else low_y * 10
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x_of(v):
        return x0 + LEFT + wide * (math.log(v / low_x) / math.log(high_x / low_x) if high_x > low_x else 0.5)

    def y_of(v):
        return TOP + high * (1 - math.log(v / low_y) / math.log(high_y / low_y))

    out = [f'<text x="{x0 + LEFT}" y="24" font-size="14" font-weight="bold">{title}</text>',
           f'<rect x="{x0 + LEFT}" y="{TOP}" width="{wide}" height="{high}" fill="none" stroke="#888"/>',
           f'<text x="{x0 + LEFT + wide / 2}" y="{TOP + high + 34}" text-anchor="middle">memory, MB</text>',
           f'<text transform="translate({x0 + 16} {TOP + high / 2}) rotate(-90)" text-anchor="middle">{y_title}</text>']
    value = low_y
    while value <= high_y * 1.001:
        out.append(f'<line x1="{x0 + LEFT}" x2="{x0 + LEFT + wide}" y1="{y_of(value):.1f}" y2="{y_of(value):.1f}" stroke="#ddd"/>'
                   f'<text x="{x0 + LEFT - 6}" y="{y_of(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
        value *= 10
    for size in sorted({p[0] for p in points}):
        out.append(f'<text x="{x_of(size):.1f}" y="{TOP + high + 16}" text-anchor="middle">{size:g}</text>')
    for i, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in sorted(curve))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{colour}"/>' for x, y in curve]
        out.append(f'<text x="{x0 + LEFT + 8}" y="{TOP + 16 + 15 * i}" fill="{colour}">{name}</text>')
    return "\n".join(out)


def write_plot(path, tables):
    """Rows with a `curve` (and `size` in MB) are points of the diagram that `curve_of` names."""
    diagrams = {"pause": {}, "throughput": {}}
    for table in tables:
        for row in table.rows:
            if row.get("curve"):
                diagrams[row["curve_of"]].setdefault(row["curve"], []).append((row["size"], row["ours"] * (1e3 if row["unit"] == "s" else 1e-6)))
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">\n'
                   f'<rect width="100%" height="100%" fill="white"/>\n'
                   + panel(0, "Pause against size", "ms", diagrams["pause"]) + "\n"
                   + panel(WIDTH, "Throughput against size", "MB/s", diagrams["throughput"]) + "\n</svg>\n")
    return os.path.getsize(path)
