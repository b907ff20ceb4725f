"""What the generated images scored."""

import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.fid_notes import fid_warnings
from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import style
from medpeft.artefacts.sentences.evidence import Evidence, facts_of, labels
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group, each_row, row_at
from medpeft.statistics.collect import distinct
from medpeft.statistics.generation_scores import UNTUNED, generation_scores


def generation(evidence: Evidence) -> dict | None:
    """Return what there is to say of text-to-image; None where the study has no table 4."""
    cells = generation_scores(evidence.runs)
    if cells.empty:
        return None
    runs = distinct(evidence.runs, "text-to-image")
    cases = [(*case, group) for case, group in each_group(cells, ["dataset", "backbone", "fraction"])]
    return facts_of(runs, cells) | {
        "pipelines": list(dict.fromkeys(cells["backbone"])),
        "answers": [_fid_answer(*case) for case in cases],
        "images": [
            f"{plain(row.dataset)} N = {row.n_test:,.0f}, floor {number(row.floor_fid, 2)}"
            for row in each_row(cells.drop_duplicates("dataset"))
        ],
        "warnings": fid_warnings(cells),
    }


def _fid_answer(dataset: str, backbone: str, fraction: float, cells: pd.DataFrame) -> str:
    """Return which method has the best FID, and which have a better one than the pipeline as it is."""
    pairs = counted(int(cells["n_train"].max()), "training pair")
    sentence = f"{plain(dataset)}, {backbone}, {percent(fraction)} ({pairs}). "
    scored = cells.dropna(subset=["fid"]).set_index("method")
    tuned = scored.drop(index=UNTUNED, errors="ignore")
    if tuned.empty:
        return f"{sentence}No method has a score here."
    best = row_at(tuned, tuned["fid"].idxmin())
    label = style(str(best.name)).label
    sentence += (
        f"The best FID has {label}: {_with_spread(best)}, with a KID of {number(best['kid'], 4)}; "
        f"two halves of the real images have {number(best['floor_fid'], 2)}. "
    )
    if UNTUNED not in scored.index:
        return f"{sentence}How the pipeline scores untuned is not known."
    untuned = row_at(scored, UNTUNED)
    better = tuned["fid"] < untuned["fid"]
    return (
        f"{sentence}Better than the pipeline untuned ({_with_spread(untuned)}): {labels(tuned.index[better])}; not "
        f"better: {labels(tuned.index[~better])}."
    )


def _with_spread(row: pd.Series) -> str:
    return number(row["fid"], 2) + ("" if pd.isna(row["fid_std"]) else f" ± {number(row['fid_std'], 2)}")
