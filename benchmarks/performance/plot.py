"""The ratios of all stages with their ranges, as a picture."""

from pathlib import Path

from results import Section
from rounds import Row

LEFT_OUT = ("machine", "start_up")


def plotted(sections: dict[str, Section]) -> list[tuple[str, Row]]:
    """Rows with a range: stage and row."""
    return [
        (name, row)
        for name, section in sections.items()
        if name not in LEFT_OUT
        for row in section.rows
        if row.ratio is not None and row.low is not None and row.high is not None
    ]


def draw(sections: dict[str, Section], path: Path) -> None:
    """A line for each comparison, on a logarithmic axis: to the right of 1, the other way takes longer."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams |= {"svg.hashsalt": "performance", "svg.fonttype": "none"}
    rows = plotted(sections)
    figure = Figure(figsize=(9, 0.24 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    stages = list(dict.fromkeys(stage for stage, _ in rows))
    for height, (stage, row) in enumerate(rows):
        ratio, low, high = row.ratio or 1.0, row.low or 1.0, row.high or 1.0
        color = f"C{stages.index(stage)}"
        axes.plot([low, high], [height, height], color=color, linewidth=2, alpha=0.6)
        axes.plot(ratio, height, "o", color=color, markersize=5)
        axes.annotate(f"{ratio:.2g}", (high, height), (6, 0), textcoords="offset points", va="center", fontsize=7)
    axes.axvline(1, color="black", linewidth=0.8)
    labels = [f"{row.what.removesuffix(', one clip')}: {row.peer}".replace("`", "") for _, row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("log")
    ticks = [0.5, 1, 2, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.margins(x=0.08)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("time of the other way / our time")
    figure.savefig(path, metadata={"Date": None})
