"""Rows of a comparison by data set, and a title for each data set."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from audiosurvey.comparison.seed_scores import SeedScores
from audiosurvey.comparison.sources import RowSource
from audiosurvey.errors import UserError

Loaded = tuple[RowSource, list[SeedScores]]
"""A row and the scores of its seeds."""
Group = list[Loaded]
"""The rows on one data set."""


def by_data_set(loaded: Sequence[Loaded]) -> list[Group]:
    """Rows of surveys define the data sets; without a survey the first row does.

    Raises UserError for a row that is on none of them, or may be on several.
    """
    groups: list[Group] = []
    for one in loaded:
        if one[0].survey is not None:
            beside = {data_hash(row) for row, _ in loaded if row.survey == one[0].survey}
            group = _group_of_survey_row(one, groups, beside)
            if group is None:
                groups.append(group := [])
            group.append(one)
    if not groups:
        groups.append([next((one for one in loaded if one[0].dataset), loaded[0])])
    placed = {id(row) for group in groups for row, _ in group}
    for one in loaded:
        if id(one[0]) not in placed:
            _group_of_run(one, groups).append(one)
    return groups


def titles(groups: Sequence[Group]) -> list[str]:
    """A title for each data set. Data sets of one title are told apart by their folders, or else by numbers."""
    found = [next((row.dataset for row, _ in group if row.dataset), "") for group in groups]
    for title in [title for title, count in Counter(found).items() if count > 1]:
        same = [index for index, one in enumerate(found) if one == title]
        for index, shown in zip(same, _with_folders(title, [groups[index] for index in same]), strict=True):
            found[index] = shown
    return _numbered(found)


def data_hash(row: RowSource) -> str | None:
    """Of labels, folds, sources and contents of the data; None for predictions of another program."""
    results = row.seeds[0].results
    return results.dataset.hash if results else None


def _group_of_survey_row(one: Loaded, groups: Sequence[Group], beside: Collection[str | None]) -> Group | None:
    """The group of its contents, else of its clips; None if there is none yet. `beside`: contents of the data sets of
    its survey."""
    row = one[0]
    # What a survey calls two data sets, or has with two contents, is not put together for another survey.
    open_to = [group for group in groups if not any(_apart(row, other) for other, _ in group)]
    hashes = [data_hash(group[0][0]) for group in open_to]
    same = [group for group, known in zip(open_to, hashes, strict=True) if known == data_hash(row)]
    alike = [group for group, known in zip(open_to, hashes, strict=True) if known not in beside]
    return next(iter(same or [group for group in alike if _same_clips(group, one)]), None)


def _apart(row: RowSource, other: RowSource) -> bool:
    """Whether a survey has two rows on different data sets."""
    return row.survey == other.survey and (row.dataset, data_hash(row)) != (other.dataset, data_hash(other))


def _group_of_run(one: Loaded, groups: Sequence[Group]) -> Group:
    """The group of a run that belongs to no survey: that of its contents, or the one with most of its clips."""
    row, seeds = one
    known = data_hash(row)
    if known is not None and (same := [group for group in groups if data_hash(group[0][0]) == known]):
        return same[0]
    if len(same := [group for group in groups if _same_clips(group, one)]) > 1:
        named = " and ".join(title for title, group in zip(titles(groups), groups, strict=True) if group in same)
        raise UserError(
            f"{row.path.as_posix()}: its clips are named like those of several data sets, {named}; compare it with "
            "runs on one of them"
        )
    clips = set(seeds[0].clips)
    shared = [len(clips.intersection(group[0][1][0].clips)) for group in groups]
    best = max(range(len(groups)), key=lambda index: shared[index])
    if not shared[best]:
        other, data = groups[best][0][0], f" ({row.dataset})" if row.dataset else ""
        raise UserError(f"{row.path.as_posix()}: has no clips{data} in common with {other.path.as_posix()}")
    return groups[best]


def _same_clips(group: Group, one: Loaded) -> bool:
    return set(group[0][1][0].clips) == set(one[1][0].clips)


def _with_folders(title: str, groups: Sequence[Group]) -> list[str]:
    """The title with as much of each folder as tells them apart; unchanged if a folder is not known."""
    folders = [_folder(group) for group in groups]
    known = [folder for folder in folders if folder is not None]
    if len(known) < len(folders):
        return [title] * len(folders)
    for count in range(1, max(len(folder.parts) for folder in known) + 1):
        ends = [Path(*folder.parts[-count:]).as_posix() for folder in known]
        if len(set(ends)) == len(ends):
            return [f"{title} ({end})" for end in ends]
    return [title] * len(folders)


def _folder(group: Group) -> Path | None:
    """The folder of a data set, or its table; None if the first row does not tell."""
    results = group[0][0].seeds[0].results
    dataset = (results.config or {}).get("dataset") if results else None
    if not isinstance(dataset, dict) or not dataset.get("root"):
        return None
    return Path(str(dataset["root"])) / str(dataset.get("table") or "")


def _numbered(titles: Sequence[str]) -> list[str]:
    found: list[str] = []
    for title in titles:
        number, shown = 1, title
        while shown in found:
            number += 1
            shown = f"{title} ({number})"
        found.append(shown)
    return found
