"""What the generated images scored."""

import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import style
from medpeft.artefacts.parts.fid_notes import ALONE, FID_DIGITS, KID_DIGITS, fid_warnings, floor_sentence
from medpeft.artefacts.sentences.evidence import Evidence, facts_of, labels
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group, each_row, row_at
from medpeft.statistics.collect import distinct
from medpeft.statistics.generated.compare_generated import KEYS, REFERENCES, verdicts
from medpeft.statistics.generated.generation_scores import UNTUNED, generation_scores
from medpeft.statistics.significance import BASELINE

NAMES = {UNTUNED: "the pipeline untuned", BASELINE: "full fine-tuning"}


def generation(evidence: Evidence) -> dict | None:
    """Return what there is to say of text-to-image; None where the study has no table 4."""
    cells = generation_scores(evidence.runs)
    if cells.empty:
        return None
    runs, judged = distinct(evidence.runs, "text-to-image"), verdicts(evidence.generation_comparisons)
    return facts_of(runs, cells) | {
        "pipelines": list(dict.fromkeys(cells["backbone"])),
        "answers": [_fid_answer(case, group, judged) for case, group in each_group(cells, KEYS)],
        "images": [
            f"{plain(row.dataset)} N = {row.n_test:,.0f}, floor {number(row.floor_fid, FID_DIGITS)}"
            for row in each_row(cells.drop_duplicates("dataset"))
        ],
        "warnings": fid_warnings(cells),
    }


def _fid_answer(case: tuple[str, str, float], cells: pd.DataFrame, judged: pd.DataFrame) -> str:
    """Return which method has the lowest FID, and which are surely better than the untuned and the fully tuned one."""
    dataset, backbone, fraction = case
    pairs = counted(int(cells["n_train"].max()), "training pair")
    sentence = f"{plain(dataset)}, {backbone}, {percent(fraction)} ({pairs}). "
    scored = cells.dropna(subset=["fid"]).set_index("method")
    tuned = scored.drop(index=UNTUNED, errors="ignore")
    if tuned.empty:
        return f"{sentence}No method has a score here."
    lowest = row_at(tuned, tuned["fid"].idxmin())
    here = judged[(judged["dataset"] == dataset) & (judged["backbone"] == backbone) & (judged["fraction"] == fraction)]
    return " ".join(
        [
            f"{sentence}The lowest FID has {style(str(lowest.name)).label}: {_with_spread(lowest)}, with a KID of "
            f"{number(lowest['kid'], KID_DIGITS)}.",
            floor_sentence(lowest),
            *(_against(reference, here, scored) for reference in reversed(REFERENCES)),
        ]
    )


def _against(reference: str, judged: pd.DataFrame, scored: pd.DataFrame) -> str:
    """Return which tuned methods are better and worse than `reference`, as far as that can be told."""
    name = NAMES[reference]
    if reference not in scored.index:
        return f"How {name} scores is not known."
    spoken = f"{name} (FID {_with_spread(row_at(scored, reference))})"
    rows = judged[(judged["reference"] == reference) & (judged["method"] != UNTUNED)]
    if rows.empty:
        return f"No method has a score beside that of {spoken}."
    by_verdict = {verdict: list(rows.loc[rows["verdict"] == verdict, "method"]) for verdict in set(rows["verdict"])}
    untested = by_verdict.pop("untested", [])
    few = "one seed" if (rows["seeds"] == 1).any() else "test images of one patient"
    one = f"With {few}, whether a method differs from {spoken} cannot be told; its interval covers {ALONE}"
    if not by_verdict:
        return f"{one}."
    better, worse, undecided = (labels(by_verdict.get(verdict, [])) for verdict in ("better", "worse", "undecided"))
    sentence = f"Against {spoken}, by FID and KID both, better: {better}; worse: {worse}; cannot be told: {undecided}."
    return f"{sentence} {one}: {labels(untested)}." if untested else sentence


def _with_spread(row: pd.Series) -> str:
    spread = "" if pd.isna(row["fid_std"]) else f" ± {number(row['fid_std'], FID_DIGITS)}"
    return number(row["fid"], FID_DIGITS) + spread
