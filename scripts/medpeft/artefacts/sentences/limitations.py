"""What a study does not show."""

import pandas as pd

from medpeft.artefacts.card import Numbers, captions_sentence
from medpeft.artefacts.fonts import glyph_sentence
from medpeft.artefacts.parts.fid_notes import ALONE
from medpeft.artefacts.sentences.evidence import Evidence
from medpeft.artefacts.sentences.searching import search_limits
from medpeft.artefacts.words import plain
from medpeft.base.losses import REASONS, summary
from medpeft.base.runs import CELL
from medpeft.statistics.generated.generation_scores import generation_scores

PUBLISHED_SIZE = 224
FEW_SEEDS = 5


def limitations(runs: pd.DataFrame, evidence: Evidence) -> list[str]:
    size = evidence.settings["image_size"]
    small = sorted({backbone for backbone in runs["backbone"] if backbone.startswith("vit_mini")})
    scores = generation_scores(evidence.runs)
    generated, one_seed = not scores.empty, bool((scores["n_runs"] == 1).any())
    sentences = [
        *_accepted_losses(evidence),
        *seeds_sentences(evidence.runs),
        (
            size != PUBLISHED_SIZE and not runs.empty,
            f"Images are {size} pixels wide, those of the published study {PUBLISHED_SIZE}.",
        ),
        *((True, sentence) for sentence in search_limits(evidence.learning_rates)),
        (
            evidence.settings["split"]["per_seed"],
            "Each seed has its own split; the audit, and the numbers of images by class, are those of the first.",
        ),
        (
            small,
            f"The pretraining behind {' and '.join(small)} saw crops of a few pictures, as no transformer comes as a "
            "package: far less than that of a published one.",
        ),
        (
            generated,
            "FID, KID, precision and recall see of an image what a network trained on photographs sees; nobody who "
            "reads such images has judged them.",
        ),
        (
            generated and one_seed,
            "With a single seed of text-to-image training no difference between methods is tested: the intervals of "
            f"FID and KID cover {ALONE}.",
        ),
        (
            (evidence.runs["status"] != "ok").any(),
            "Failed runs are left out of the means, which flatters a method that fails on hard seeds.",
        ),
    ]
    sentences += [
        (found["cut"], f"{plain(dataset)}: {captions_sentence(pipeline, found)}")
        for (dataset, pipeline), found in evidence.lengths.items()
    ]
    boxes = glyph_sentence(evidence.datasets)
    return [sentence for applies, sentence in [*sentences, (boxes, boxes or "")] if applies]


def seeds_sentences(runs: pd.DataFrame) -> list[tuple[bool, str]]:
    """Return what follows from the fewest seeds that each backbone was trained with."""
    cells = runs[runs["task"] == "classification"].groupby(CELL)["seed"].nunique()
    seeds = cells.groupby("backbone").min()
    single, few = sorted(seeds[seeds == 1].index), sorted(seeds[(seeds > 1) & (seeds < FEW_SEEDS)].index)
    return [
        (
            bool(single),
            f"{', '.join(single)}: with a single seed nothing is known of the spread over trainings; intervals cover "
            "test images alone, and no difference is tested.",
        ),
        (bool(few), f"{', '.join(few)}: few seeds show the spread over trainings poorly, which makes intervals wide."),
    ]


def _accepted_losses(evidence: Evidence) -> list[tuple[bool, str]]:
    """Return a sentence a dataset about losses that would have stopped the study, had it not accepted them."""
    lost = {name: Numbers(audit, evidence.protocols[name]).losses for name, audit in evidence.audits.items()}
    stopping = {
        name: summary({reason: count for reason, count in counts.items() if REASONS[reason].remedy})
        for name, counts in lost.items()
    }
    return [
        (bool(found), f"Of {plain(name)}, not all could be used or understood: {found}.")
        for name, found in stopping.items()
    ]
