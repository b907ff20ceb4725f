"""What the study found, as the sentences and numbers that the paper prints.

Every function works for any study: one without full fine-tuning, with a single seed, with failed runs.
"""

from dataclasses import dataclass

import pandas as pd

from medpeft.artefacts.card import Numbers, audit_sentence, counted
from medpeft.artefacts.markup import GAP, TIMES, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.table import (
    ENCODERS,
    NOT_PEFT,
    SIGNIFICANT,
    fid_warnings,
    friedman_words,
    outcomes,
    percent,
    plain,
)
from medpeft.base.runs import CELL
from medpeft.data.registry import Dataset
from medpeft.data.split import SPLITS
from medpeft.statistics.blocks import encoder
from medpeft.statistics.collect import distinct
from medpeft.statistics.generation_scores import UNTUNED, generation_scores

PUBLISHED_SIZE = 224


@dataclass(frozen=True)
class Evidence:
    """The study's settings and result tables; `differences` has one row a method, `friedman` one a test."""

    settings: dict
    runs: pd.DataFrame
    scores: pd.DataFrame
    differences: pd.DataFrame
    crossovers: pd.DataFrame
    friedman: pd.DataFrame
    recommendations: pd.DataFrame
    learning_rates: pd.DataFrame
    datasets: dict[str, Dataset]
    protocols: dict[str, str]
    audits: dict[str, pd.DataFrame]
    claims: pd.DataFrame


def findings(evidence: Evidence) -> dict:
    """Return the content of `findings.json`: settings, overview, and lists of sentences for each part of the paper."""
    runs = distinct(evidence.runs)
    return {
        "settings": evidence.settings,
        "overview": _overview(runs, evidence),
        "datasets": [_dataset(name, evidence) for name in evidence.audits],
        "answers": _answers(evidence),
        "tests": [_test(row) for _, row in evidence.friedman.iterrows()],
        "recommendations": _recommendations(evidence.recommendations),
        "low_data": _low_data(evidence),
        "generation": _generation(evidence),
        "claims": _claims(evidence),
        "limitations": _limitations(runs, evidence),
    }


def _overview(runs: pd.DataFrame, evidence: Evidence) -> dict:
    return {
        "runs": len(runs),
        "failed": _failed(runs),
        "backbones": list(dict.fromkeys(runs["backbone"])),
        "methods": [style(method).label for method in in_order(runs["method"])],
        "fractions": [percent(fraction) for fraction in sorted(set(runs["fraction"]))],
        "seeds": int(runs["seed"].nunique()),
        "devices": sorted(set(runs["device"])),
        "searches": len(evidence.learning_rates),
        "most_data": _most_data(evidence),
        "verdict": _verdict(evidence),
    }


def _failed(runs: pd.DataFrame) -> list[str]:
    return [
        f"{style(run.method).label}, {plain(run.dataset)}, {run.backbone}, {percent(run.fraction)}, "
        f"seed {run.seed}: {run.status.removeprefix('failed: ')}"
        for run in runs[runs["status"] != "ok"].itertuples()
    ]


def _dataset(name: str, evidence: Evidence) -> dict:
    dataset = evidence.datasets[name]
    get = Numbers(evidence.audits[name], evidence.protocols[name])
    classes = [
        {"label": label} | {part: get(get.protocol, "images", part, label) for part in SPLITS} for label in get.labels
    ]
    return {
        "title": dataset.title,
        "name": plain(name),
        "licence": dataset.licence,
        "access": dataset.access,
        "citation": dataset.citation,
        "caveats": list(dataset.caveats),
        "classes": classes,
        "total": {part: get(get.protocol, "images", part) for part in SPLITS},
        "audit": audit_sentence(get),
    }


def _cases(evidence: Evidence, metric: str = "f1_micro"):
    """Yield dataset, backbone, fraction and the differences from full fine-tuning of each case, best first."""
    of_metric = evidence.differences[evidence.differences["metric"] == metric]
    for (dataset, backbone), group in of_metric.groupby(["dataset", "backbone"], sort=False):
        for fraction, case in group.groupby("fraction"):
            yield dataset, backbone, fraction, case.sort_values("difference", ascending=False, kind="stable")


def _at_full_data(evidence: Evidence) -> list[tuple]:
    """Return the cases with the largest fraction of their dataset and backbone."""
    return list({case[:2]: case for case in _cases(evidence)}.values())


def _peft(case: pd.DataFrame) -> pd.DataFrame:
    return case[~case["method"].isin(NOT_PEFT)]


def _score(evidence: Evidence, dataset: str, backbone: str, method: str, fraction: float) -> pd.Series:
    rows = evidence.scores[evidence.scores["metric"] == "f1_micro"].set_index(CELL)
    return rows.loc[(dataset, backbone, method, fraction)]


def _verdict(evidence: Evidence) -> str:
    """Answer in one sentence whether PEFT beats full fine-tuning."""
    cases = [case for *_, case in _at_full_data(evidence) if not _peft(case).empty]
    if not cases:
        return "This study has no PEFT method beside full fine-tuning to compare it with."
    won, lost = 0, 0
    for case in cases:
        of_case = outcomes(_peft(case))
        won += not of_case["better"].empty
        lost += of_case["better"].empty and of_case["undecided"].empty
    return (
        f"With {_most_data(evidence)}, at least one PEFT method is significantly better than full fine-tuning in "
        f"{won} of {counted(len(cases), 'case')} (a case is a dataset with a backbone), "
        f"and all PEFT methods are significantly worse in {lost}."
    )


def _most_data(evidence: Evidence) -> str:
    """Return what the largest fraction of every case is called."""
    return (
        "all training images" if all(case[2] == 1 for case in _at_full_data(evidence)) else "the most training images"
    )


def _answers(evidence: Evidence) -> list[str]:
    return [_answer(evidence, *case) for case in _at_full_data(evidence)]


def _answer(evidence: Evidence, dataset: str, backbone: str, fraction: float, case: pd.DataFrame) -> str:
    full = _score(evidence, dataset, backbone, "full", fraction)
    opening = f"{plain(dataset)}, {backbone}, {counted(int(full['n_train']), 'training image')}. "
    return opening + _best(evidence, dataset, backbone, fraction, case) + " " + _groups(case)


def _best(evidence: Evidence, dataset: str, backbone: str, fraction: float, case: pd.DataFrame) -> str:
    if _peft(case).empty:
        return "No PEFT method has a score here."
    best = _peft(case).iloc[0]
    score = _score(evidence, dataset, backbone, best["method"], fraction)
    full = _score(evidence, dataset, backbone, "full", fraction)
    return (
        f"The best PEFT method, {style(best['method']).label}, reaches a micro-F1 of {number(score['mean'])} against "
        f"{number(full['mean'])} of full fine-tuning: a difference of {number(best['difference'], sign=True)} "
        f"(95 % interval {number(best['low'], sign=True)} to {number(best['high'], sign=True)}, "
        f"adjusted p {number(best['p_adjusted'])}), "
        f"ahead in {best['seeds_won']} of {counted(best['seeds_compared'], 'seed')}."
    )


def _groups(case: pd.DataFrame) -> str:
    better, worse, undecided = map(_labels, outcomes(case).values())
    return (
        f"Significantly better than full fine-tuning: {better}; significantly worse: {worse}; undecided: {undecided}."
    )


def _labels(methods) -> str:
    return ", ".join(style(method).label for method in in_order(methods)) or "none"


def _test(test: pd.Series) -> str:
    blocks = f"{counted(test['methods'], 'method', 'methods')} over {counted(test['blocks'], 'block')}"
    left_out = f", {test['left_out']} more left out as incomplete," if test["left_out"] else ""
    name = f"{ENCODERS[test['encoder']]}, {percent(test['fraction'])}. "
    if test["status"] != "ok":
        return f"{name}{friedman_words(test)} ({blocks}{left_out.rstrip(',')})."
    sure = "differ" if test["permutation_p_value"] < SIGNIFICANT else "do not differ significantly"
    return f"{name}The mean ranks of {blocks}{left_out} {sure}: {friedman_words(test)}."


def _recommendations(table: pd.DataFrame) -> list[str]:
    return [_recommendation(rows) for _, rows in table.groupby(["encoder", "fraction"], sort=False)]


def _recommendation(rows: pd.DataFrame) -> str:
    best, cheapest = (rows[rows["role"].str.contains(role)].iloc[0] for role in ("best", "cheapest"))
    blocks = counted(int(best["blocks"]), "block")
    sentence = (
        f"{ENCODERS[best['encoder']]}, {percent(best['fraction'])}. The best mean rank over {blocks} has "
        f"{style(best['method']).label} ({number(best['mean_rank'], 2)}; micro-F1 {number(best['f1_micro'])}). "
    )
    good = counted(int(best["not_worse"]) + 1, "method")
    if best["not_worse"] == 0:
        sentence += "The data show all others to be worse. It takes "
    elif best["role"] != "best":
        sentence += f"It is also the cheapest of the {good} that the data do not show to be worse: "
    else:
        sentence += (
            f"{style(cheapest['method']).label}, {number(cheapest['difference'], sign=True)} from it "
            f"(95 % interval {number(cheapest['low'], sign=True)} to {number(cheapest['high'], sign=True)}, "
            f"adjusted p {number(cheapest['p_adjusted'])}), "
            f"is the cheapest of the {good} that the data do not show to be worse: "
        )
    return (
        f"{sentence}{number(cheapest['trainable_parameters'], 0, group=True)} trainable parameters, "
        f"{number(cheapest['peak_memory_bytes'] / 2**20, 0, group=True)} MiB at the peak, "
        f"{number(cheapest['train_seconds'], 1)} s of training, a file of "
        f"{number(cheapest['adapter_bytes'] / 2**20, 2)} MiB."
    )


def _low_data(evidence: Evidence) -> list[str]:
    whole = {case[:2]: case[2] for case in _at_full_data(evidence)}
    sentences = []
    for dataset, backbone, fraction, case in _cases(evidence):
        if fraction < whole[dataset, backbone]:
            size = int(_score(evidence, dataset, backbone, "full", fraction)["n_train"])
            opening = f"{plain(dataset)}, {backbone}, {percent(fraction)} ({counted(size, 'training image')}). "
            sentences.append(opening + _best(evidence, dataset, backbone, fraction, case) + " " + _groups(case))
    return sentences + _crossover_sentences(
        evidence, {case[:2] for case in _cases(evidence) if case[2] < whole[case[:2]]}
    )


def _crossover_sentences(evidence: Evidence, cases: set[tuple[str, str]]) -> list[str]:
    sentences = []
    for dataset, backbone in sorted(cases):
        of_case = evidence.crossovers.dropna(subset="fraction")
        of_case = of_case[(of_case["dataset"] == dataset) & (of_case["backbone"] == backbone)]
        overtaken = [f"{style(row.method).label} at {_crossing(row)}" for row in of_case.itertuples()]
        ahead = _always_ahead(evidence, dataset, backbone)
        losers = f"{', '.join(overtaken)} of the training images" if overtaken else "no method that led before"
        sentences.append(
            f"{plain(dataset)}, {backbone}, crossovers. Full fine-tuning overtakes {losers}; "
            f"ahead of it at every fraction: {_labels(ahead)}."
        )
    return sentences


def _crossing(row) -> str:
    """Return the fraction of a crossover, its interval, and how many resamples have one at all."""
    fraction, low, high, share = (f"{100 * value:.0f} %" for value in (row.fraction, row.low, row.high, row.share))
    return f"{fraction} [{low}, {high}; in {share} of resamples]"


def _always_ahead(evidence: Evidence, dataset: str, backbone: str) -> list[str]:
    rows = evidence.differences.query("metric == 'f1_micro' and dataset == @dataset and backbone == @backbone")
    return [method for method, group in rows.groupby("method") if (group["difference"] > 0).all()]


def _generation(evidence: Evidence) -> dict | None:
    """Return what there is to say of text-to-image; None where the study has no table 4."""
    cells = generation_scores(evidence.runs)
    if cells.empty:
        return None
    runs = distinct(evidence.runs, "text-to-image")
    cases = [(*case, group) for case, group in cells.groupby(["dataset", "backbone", "fraction"], sort=False)]
    return {
        "runs": len(runs),
        "failed": _failed(runs),
        "pipelines": list(dict.fromkeys(cells["backbone"])),
        "methods": [style(method).label for method in in_order(cells["method"])],
        "fractions": [percent(fraction) for fraction in sorted(set(cells["fraction"]))],
        "seeds": int(runs["seed"].nunique()),
        "devices": sorted(set(runs["device"])),
        "answers": [_fid_answer(*case) for case in cases],
        "images": [
            f"{plain(row.dataset)} N = {row.n_test:,.0f}, floor {number(row.floor_fid, 2)}"
            for row in cells.drop_duplicates("dataset").itertuples()
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
    best = tuned.loc[tuned["fid"].idxmin()]
    sentence += (
        f"The best FID has {style(best.name).label}: {_with_spread(best)}, with a KID of {number(best['kid'], 4)}; two "
        f"halves of the real images have {number(best['floor_fid'], 2)}. "
    )
    if UNTUNED not in scored.index:
        return f"{sentence}How the pipeline scores untuned is not known."
    untuned = scored.loc[UNTUNED]
    better = tuned["fid"] < untuned["fid"]
    return (
        f"{sentence}Better than the pipeline untuned ({_with_spread(untuned)}): {_labels(tuned.index[better])}; not "
        f"better: {_labels(tuned.index[~better])}."
    )


def _with_spread(row: pd.Series) -> str:
    return number(row["fid"], 2) + ("" if pd.isna(row["fid_std"]) else f" ± {number(row['fid_std'], 2)}")


def _fid_place(evidence: Evidence, claim) -> list[str]:
    ours = []
    for (dataset, backbone), group in generation_scores(evidence.runs).groupby(["dataset", "backbone"], sort=False):
        fids = group[(group["fraction"] == 1) & (group["method"] != UNTUNED)].set_index("method")["fid"].dropna()
        if claim.method in fids:
            place = f"{fids.rank(method='min')[claim.method]:.0f} of {len(fids)}"
            ours.append(f"{number(fids[claim.method], 2)}, place {place} ({plain(dataset)}, {backbone})")
    return ours


def _claims(evidence: Evidence) -> list[dict[str, str]]:
    return [
        {
            "statement": claim.statement,
            "published": _published(claim),
            "ours": "; ".join(OURS[claim.kind](evidence, claim)) or "not in this study",
        }
        for claim in evidence.claims.itertuples()
    ]


def _published(claim) -> str:
    if pd.isna(claim.published):
        return GAP
    forms = {"crossover": percent, "learning_rate": lambda times: f"{TIMES} {times:g}"}
    forms["fid"] = lambda fid: number(fid, 2)
    return forms.get(claim.kind, lambda gain: number(gain, 2, sign=True))(claim.published)


def _gain(evidence: Evidence, claim) -> list[str]:
    ours = []
    for dataset, backbone, _, case in _at_full_data(evidence):
        row = case[case["method"] == claim.method]
        if encoder(backbone) == claim.encoder and not row.empty:
            ours.append(f"{_gain_text(row.iloc[0])} ({plain(dataset)}, {backbone})")
    return ours


def _gain_text(row: pd.Series) -> str:
    return f"{number(row['difference'], sign=True)} [{number(row['low'], sign=True)}, {number(row['high'], sign=True)}]"


def _best_method(evidence: Evidence, claim) -> list[str]:
    f1 = evidence.scores[evidence.scores["metric"] == "f1_micro"].dropna(subset=["mean"])
    ours = []
    for (dataset, backbone), group in f1.groupby(["dataset", "backbone"], sort=False):
        if encoder(backbone) == claim.encoder and claim.method in set(group["method"]):
            full_data = group[group["fraction"] == group["fraction"].max()]
            best = full_data.loc[full_data["mean"] == full_data["mean"].max(), "method"]
            ours.append(f"{_labels(best)} ({plain(dataset)}, {backbone})")
    return ours


def _low_data_gain(evidence: Evidence, claim) -> list[str]:
    whole = {case[:2]: case[2] for case in _at_full_data(evidence)}
    best = {}
    for dataset, backbone, fraction, case in _cases(evidence):
        row = case[case["method"] == claim.method]
        if encoder(backbone) == claim.encoder and fraction < whole[dataset, backbone] and not row.empty:
            entry = (
                row.iloc[0]["difference"],
                f"{_gain_text(row.iloc[0])} at {percent(fraction)} ({plain(dataset)}, {backbone})",
            )
            best[dataset, backbone] = max(best.get((dataset, backbone), entry), entry)
    return [text for _, text in best.values()]


def _crossover(evidence: Evidence, claim) -> list[str]:
    rows = evidence.crossovers[evidence.crossovers["method"] == claim.method].dropna(subset="fraction")
    return [
        f"{_crossing(row)} ({plain(row.dataset)}, {row.backbone})"
        for row in rows.itertuples()
        if encoder(row.backbone) == claim.encoder
    ]


def _rate_ratio(evidence: Evidence, claim) -> list[str]:
    peft = evidence.learning_rates[~evidence.learning_rates["method"].isin(NOT_PEFT)].dropna(subset=["times_full"])
    return [
        f"{TIMES} {group['times_full'].median():.3g} in the median, {group['times_full'].min():.3g} to "
        f"{group['times_full'].max():.3g} ({plain(dataset)}, {backbone}; "
        f"{group['at_edge'].sum()} of {len(group)} at an edge of the search)"
        for (dataset, backbone), group in peft.groupby(["dataset", "backbone"], sort=False)
    ]


OURS = {
    "gain": _gain,
    "best": _best_method,
    "low_data": _low_data_gain,
    "crossover": _crossover,
    "learning_rate": _rate_ratio,
    "fid": _fid_place,
}


def _limitations(runs: pd.DataFrame, evidence: Evidence) -> list[str]:
    simulated = [
        plain(name) for name, dataset in evidence.datasets.items() if any(part.generate for part in dataset.archives)
    ]
    edges = evidence.learning_rates[evidence.learning_rates["at_edge"]]
    seeds = int(runs["seed"].nunique())
    size = evidence.settings["image_size"]
    searches = len(evidence.learning_rates)
    small = sorted({backbone for backbone in runs["backbone"] if backbone.startswith("vit_mini")})
    generated = not generation_scores(evidence.runs).empty
    sentences = [
        (simulated, f"The images of {', '.join(simulated)} are simulated: they say nothing about medicine."),
        (
            not runs.empty,
            "The interval of a score covers another sample of test images for these networks, not another training.",
        ),
        (1 < seeds < 10, f"With {seeds} seeds the standard deviation over training runs is itself uncertain."),
        (seeds == 1, "With a single seed nothing is known of the spread over training runs."),
        (
            not evidence.differences.empty,
            "The best method of a case is named after seeing the test scores, so its lead is slightly optimistic; "
            "the adjusted p-values cover the choice.",
        ),
        (
            size != PUBLISHED_SIZE and not runs.empty,
            f"Images are {size} pixels wide, those of the published study {PUBLISHED_SIZE}.",
        ),
        (
            not edges.empty,
            f"In {len(edges)} of {searches} learning-rate searches the best rate was the lowest or the highest one "
            "tried, so a wider search might do better.",
        ),
        (
            small,
            f"The pretraining behind {' and '.join(small)} saw crops of a few pictures, as no transformer comes as a "
            "package: far less than that of a published one.",
        ),
        (
            generated,
            "FID, KID, precision and recall see of an image what a network trained on photographs sees; nobody who "
            "reads such images has judged them. Differences in FID are not tested.",
        ),
        (
            (evidence.runs["status"] != "ok").any(),
            "Failed runs are left out of the means, which flatters a method that fails on hard seeds.",
        ),
    ]
    return [sentence for applies, sentence in sentences if applies]
