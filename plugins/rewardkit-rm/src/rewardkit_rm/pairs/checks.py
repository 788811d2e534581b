"""What is wrong with preference data, before anybody trains on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from rewardkit_rm.pairs.findings import Finding, Findings
from rewardkit_rm.pairs.fingerprints import Encode, Fingerprints, prompt_hash
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.share import Share

__all__ = ["DomainCounts", "PairReport", "check_pairs"]


class DomainCounts(BaseModel):
    """How many there are of a domain.

    Attributes:
        pairs: Pairs.
        prompts: Different prompts.
        ties: Ties among the pairs.
        longer: Of the pairs that are no ties and whose sides differ in length (in characters), the share by weight
            whose chosen side is the longer one: what *longer wins* would get right.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    pairs: int
    prompts: int
    ties: int
    longer: Share


class PairReport(BaseModel):
    """What `check_pairs` found.

    Attributes:
        total: Counts over all pairs.
        domains: Counts by domain, the largest first; the name of pairs without a domain is empty.
        findings: What is wrong or worth knowing, errors first.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    total: DomainCounts
    domains: dict[str, DomainCounts]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing forbids training on the pairs: no finding is an error."""
        return not any(finding.level == "error" for finding in self.findings)

    def of(self, level: Literal["error", "warning", "note"]) -> list[Finding]:
        """Return the findings of a level."""
        return [finding for finding in self.findings if finding.level == level]


def check_pairs(
    pairs: Iterable[Pair], others: Mapping[str, Iterable[Pair]] | None = None, encode: Encode | None = None
) -> PairReport:
    """Look for what makes preference data teach the wrong thing.

    Errors mean: do not train on this. `Findings` says what is looked for, and where the limits are.

    Goes once through the pairs, and keeps hashes and numbers of them, no texts: about 100 bytes a pair, and 230 at the
    end, while they are compared.

    Args:
        pairs: The pairs.
        others: Pairs that must not share a prompt with these, by name: the validation set, a benchmark.
        encode: Returns the token ids of prompt and completion as the model will see them; sides that become the
            same by truncation or by the tokenizer are found with it.

    Raises:
        BatchError: While reading, if a row is no pair.

    Example:
        >>> same = Pair("2+2?", "4", "4 ")
        >>> report = check_pairs([Pair("1+1?", "2", "3"), same], others={"dev": [Pair("1 + 1?", "2", "1"), same]})
        >>> [(finding.level, finding.check, finding.count) for finding in report.findings]
        [('error', 'leakage', 1), ('note', 'near-identical-sides', 1)]
    """
    seen = Fingerprints.of(pairs, encode)
    prompts = {
        name: np.fromiter((prompt_hash(pair.prompt) for pair in other), dtype=np.uint64)
        for name, other in (others or {}).items()
    }
    everything = np.ones(len(seen), dtype=bool)
    counts = {name: _counts(seen, seen.domain == number) for number, name in enumerate(seen.domains)}
    domains = dict(sorted(counts.items(), key=lambda item: (-item[1].pairs, item[0])))
    total = _counts(seen, everything)
    shares = {name: counts.longer for name, counts in domains.items()} if len(domains) > 1 else {}
    found = Findings(seen).all(prompts, total.longer, shares, encode is not None)
    return PairReport(total=total, domains=domains, findings=tuple(found))


def _counts(seen: Fingerprints, rows: NDArray[np.bool_]) -> DomainCounts:
    decided = rows & ~seen.tie & (seen.longer != 0)
    return DomainCounts(
        pairs=int(rows.sum()),
        prompts=len(np.unique(seen.prompt[rows])),
        ties=int((rows & seen.tie).sum()),
        longer=Share.of(seen.longer[decided] > 0, seen.weight[decided]),
    )
