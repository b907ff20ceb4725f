"""How learning rates were searched, and how much the searches could tell."""

import pandas as pd

from medpeft.artefacts.cells import methods_by_case
from medpeft.artefacts.words import percent, span

MANY = 1 / 3  # share of the searches at the edge from which the terminal tells it


def searching(settings: dict, searches: int, fractions: list[str]) -> str:
    """Return how trials train, and which runs share a learning rate.

    Args:
        settings: Those of the study.
        searches: How many there are.
        fractions: Of the study, as per cent.
    """
    tuning, used = settings["tuning"], percent(settings["tuning"]["fraction"])
    if tuning["per_fraction"]:
        trial = f"on {used} of the training images of the fraction, for the steps of its runs,"
    else:
        epochs = tuning["epochs"] or settings["recipe"]["epochs"]
        trial = f"for {epochs} epoch{'s' * (epochs != 1)} on {used} of the training images"
    own = [name for name in ("fraction", "seed") if tuning[f"per_{name}"]]
    *most, last = ["dataset", "backbone", "method", *own]
    shared = [f"fractions ({', '.join(fractions)})"] * ("fraction" not in own) + ["seeds"] * ("seed" not in own)
    text = (
        f"A trial trains {trial} and is stopped where it falls below the median of the others. The rate is chosen on "
        f"validation alone, once per {', '.join(most)} and {last} ({searches} search{'es' * (searches != 1)})"
    )
    if shared:
        text += f", and shared by all {' and '.join(shared)}"
    if "fraction" in own:
        text += "; validation is never cut."
    else:
        text += (
            "; validation is never cut, so that small fractions are trained with choices made on more images than they "
            "have."
        )
    if settings["split"]["per_seed"]:
        text += " Each seed has its own split into training, validation and test images."
    return text


def search_limits(rates: pd.DataFrame) -> list[str]:
    """Return what the searches could not tell, from the table `learning_rates`: blind ones, rates alike, and edges."""
    blind, unsure = rates[rates["blind"].astype(bool)], rates[rates["indistinguishable"] > 1]
    sentences = []
    if not blind.empty:
        sentences.append(
            f"{len(blind)} of {len(rates)} learning-rate searches {'was' if len(blind) == 1 else 'were'} blind: "
            "validation preferred no rate by more than chance, and their runs say little about the method. These are "
            f"{methods_by_case(blind)}."
        )
    if not unsure.empty:
        count = span(rates["validation_images"])
        sentences.append(
            f"In {len(unsure)} of {len(rates)} learning-rate searches, on {count} validation images, other rates were "
            "within one standard error of the best: which of them was chosen is partly chance."
        )
    return [*sentences, *edge_sentences(rates, at_least=0)]


def edge_sentences(rates: pd.DataFrame, at_least: float = MANY) -> list[str]:
    """Return in how many searches the best rate was an end of those tried, where that is any and a large enough share.

    Args:
        rates: The table `learning_rates`.
        at_least: The share.
    """
    edges = int(rates["at_edge"].sum())
    if not edges or edges < at_least * len(rates):
        return []
    return [
        f"In {edges} of {len(rates)} learning-rate searches the best rate was the lowest or the highest one tried, so "
        "a wider search might do better."
    ]
