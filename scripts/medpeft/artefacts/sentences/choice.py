"""Which method to choose, and what the tests over blocks say."""

import pandas as pd

from medpeft.artefacts.card import counted
from medpeft.artefacts.markup import number
from medpeft.artefacts.palette import style
from medpeft.artefacts.words import ENCODERS, friedman_words, percent
from medpeft.base.frames import each_group
from medpeft.statistics.significance import SIGNIFICANT


def test_sentence(test: pd.Series) -> str:
    blocks = f"{counted(test['methods'], 'method', 'methods')} over {counted(test['blocks'], 'block')}"
    left_out = f", {test['left_out']} more left out as incomplete," if test["left_out"] else ""
    name = f"{ENCODERS[test['encoder']]}, {percent(test['fraction'])}. "
    if test["status"] != "ok":
        return f"{name}{friedman_words(test)} ({blocks}{left_out.rstrip(',')})."
    sure = "differ" if test["permutation_p_value"] < SIGNIFICANT else "do not differ significantly"
    return f"{name}The mean ranks of {blocks}{left_out} {sure}: {friedman_words(test)}."


def recommendations(table: pd.DataFrame) -> list[str]:
    return [_recommendation(rows) for _, rows in each_group(table, ["encoder", "fraction"])]


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
