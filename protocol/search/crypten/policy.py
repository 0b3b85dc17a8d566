"""The flow policies of the two CrypTen protocols: who provides is all that differs."""

from __future__ import annotations

from typing import Final, NamedTuple

from protocol.flows import (
    FEATURE_FLOWS,
    Coalition,
    Elements,
    Flow,
    Knowledge,
    MaterialSize,
    Opening,
    Policy,
    register_policy,
)
from protocol.parties import Party
from protocol.search.crypten import messages as _messages
from protocol.search.two_party.policy import (
    CLIENT_AND_PROVIDER,
    CLIENT_LEARNS,
    PROVIDER_LEARNS,
    RECOGNISER,
    SIZES,
    answer_flows,
    answer_openings,
    deletion_flows,
    ready_flows,
    renewal_flows,
    score_flows,
    share_flow,
    zeros_flow,
)

__all__ = ["FIRST_PARTY", "THIRD_PARTY"]

del _messages  # a policy is of use only where its messages can be decoded

_SERVERS: Final[tuple[Party, Party]] = ("model_provider", "gallery_holder")
_FIRST_PARTY: Final = "crypten_first_party"
_LIBRARIES: Final = ("crypten", "omegaconf", "onnx")
# Measured at 40,000 x 512: masks, masked rows, the frames that carry them and their copies.
_MATERIAL: Final = MaterialSize(pair_bytes=300, element_bytes=18)


class _Opened(NamedTuple):
    """What the servers open to each other: kind, step, content, reason, and its words."""

    kind: str
    step: str
    carries: str
    why: str
    elements: Elements


_OPENED: Final = (
    _Opened(
        "CryptenOperands", "scores", "of the masked probes and of the whole masked gallery",
        "operands of the Beaver product; the gallery is masked anew for every query",
        Elements("sum"),
    ),
    _Opened(
        "CryptenWords", "threshold", "of masked 64-bit words", "one layer of the adder",
        Elements("xor"),
    ),
    _Opened(
        "CryptenBits", "threshold", "of masked bits, one in each 64-bit word",
        "a comparison's outcome, or random bits, to be lifted from XOR to additive shares",
        Elements("xor", bits=1),
    ),
    _Opened(
        "CryptenFactors", "selection", "of masked factors", "one product of the selection",
        Elements("sum"),
    ),
)  # fmt: skip


def _opening_flows(needs_insecure: str | None) -> tuple[Flow, ...]:
    """Return what the servers open to each other; the provider may need leave to see it."""
    ends: tuple[tuple[Party, Party, str, str | None], ...] = (
        ("gallery_holder", "model_provider", "server 1's half", needs_insecure),
        ("model_provider", "gallery_holder", "server 0's half", None),
    )
    return tuple(
        Flow(
            opened.kind, sender, receiver, "online", opened.step, "masked",
            f"{half} {opened.carries}", opened.why, needs, opened.elements,
        )
        for opened in _OPENED
        for sender, receiver, half, needs in ends
    )  # fmt: skip


_FLOWS: Final[tuple[Flow, ...]] = (
    *FEATURE_FLOWS,
    Flow(
        "CryptenSeed", "model_provider", "gallery_holder", "setup", "seeds", "share",
        "seeds of the zero sharings", "both servers draw the same 64-bit words from them",
    ),
    Flow(
        "CryptenSeed", "gallery_holder", "model_provider", "setup", "seeds", "share",
        "seed of the zero sharings", "both servers draw the same 64-bit words from it",
    ),
    Flow(
        "GallerySeed", "client", "model_provider", "enrol", "sharing", "share",
        "seed of share 0 of the new rows", "one of two shares; uniform on its own",
    ),
    share_flow("gallery_holder", "share 1"),
    zeros_flow(*_SERVERS),
    *renewal_flows(_SERVERS),
    *ready_flows(_SERVERS),
    *deletion_flows(_SERVERS),
    *answer_flows("model_provider", "gallery_holder", "server 0", "server 1"),
    *score_flows(_SERVERS),
)  # fmt: skip

_PROVIDER_FLOWS: Final[tuple[Flow, ...]] = (
    Flow(
        "CryptenSeed", "dealer", "model_provider", "setup", "seeds", "share",
        "64-bit seed of server 0's correlations", "compresses what server 0 gets",
    ),
    Flow(
        "CryptenSeed", "dealer", "gallery_holder", "setup", "seeds", "share",
        "64-bit seed of server 1's correlations", "compresses what server 1 gets to one seed",
    ),
    Flow(
        "CryptenRequest", "model_provider", "dealer", "offline", "material", "control",
        "sizes of one correlation", "asks for single-use material of the right size",
    ),
    Flow(
        "CryptenSize", "dealer", "model_provider", "offline", "material", "control",
        "size of the next answer", "CrypTen announces what it sends",
    ),
    Flow(
        "CryptenAnswer", "dealer", "model_provider", "offline", "material", "share",
        "server 0's share of a product of masks",
        "what cannot be expanded from server 0's seed",
    ),
)  # fmt: skip


def _openings(audience: tuple[Party, ...], reason: str, needs: str | None) -> tuple[Opening, ...]:
    """Return the masked operands as one audience sees them."""
    return (
        Opening(
            "masked probes and the whole masked gallery, for every query",
            audience, ("CryptenOperands",), reason, needs,
        ),
        Opening(
            "masked operands of every later product: words of the comparison's adder, bits to be "
            "lifted, scores and row numbers to be selected",
            audience, ("CryptenWords", "CryptenBits", "CryptenFactors"), reason, needs,
        ),
    )  # fmt: skip


_HIDDEN: Final = "masks are used once and unknown to it, as far as Mersenne Twisters hide them"
_SEEN_THROUGH: Final = "it knows every mask: whatever is opened to it, it reads"

_DEALER: Final = (
    Knowledge("number of rows and probes, and their timing", "requests for correlations"),
    Knowledge("every mask and correlation, but nothing they hide", "makes them"),
)

_WITH_CLIENT: Final = (
    Coalition(
        ("client", "gallery_holder"),
        "the client's own probes' answers, known to the client anyway",
        excluded_by_trust_model=False,
    ),
)
_BOTH_SERVERS: Final = Coalition(
    _SERVERS, "the whole gallery, every score and decision: both shares",
    excluded_by_trust_model=True,
)  # fmt: skip

FIRST_PARTY: Final = register_policy(
    Policy(
        name="crypten",
        title="CrypTen 0.4.1 with its default provider, a baseline",
        trust_model=(
            "no protection from the model provider: it is CrypTen's first party, makes all masks "
            "and can read gallery, probes and decisions; the gallery holder "
            "learns no more than its row says, if Mersenne Twisters with 64-bit seeds hide it"
        ),
        parties=("client", *_SERVERS),
        flows=(*_FLOWS, *_opening_flows(_FIRST_PARTY)),
        openings=(
            *_openings(("model_provider",), _SEEN_THROUGH, _FIRST_PARTY),
            *_openings(("gallery_holder",), _HIDDEN, None),
            *answer_openings(),
        ),
        learns={
            "client": CLIENT_LEARNS,
            "model_provider": (
                *PROVIDER_LEARNS,
                Knowledge(
                    "the whole gallery, every probe, score and decision",
                    "CrypTen's default provider tells it every mask",
                    reveals=("rows", "probes", "scores", "decisions"),
                ),
            ),
            "gallery_holder": SIZES,
        },
        coalitions=(
            *_WITH_CLIENT,
            Coalition(
                ("client", "model_provider"), "everything: the model provider has it on its own",
                excluded_by_trust_model=True,
            ),
            _BOTH_SERVERS,
        ),
        shortcuts=(_FIRST_PARTY, "weak_generators"),
        held=tuple((server, 1) for server in _SERVERS),
        ring_bits=64,
        material=_MATERIAL,
        top_k=1,
        libraries=_LIBRARIES,
    )
)  # fmt: skip

THIRD_PARTY: Final = register_policy(
    Policy(
        name="crypten_ttp",
        title="CrypTen 0.4.1 with its trusted third party, a baseline",
        trust_model=(
            "semi-honest two-server computation with a trusted third party, here the dealer, that "
            "must not collude with either server, nor the servers with each other; secure only as "
            "far as Mersenne Twisters with 64-bit seeds hide their output; " + RECOGNISER
        ),
        parties=("client", *_SERVERS, "dealer"),
        flows=(*_FLOWS, *_PROVIDER_FLOWS, *_opening_flows(None)),
        openings=(*_openings(_SERVERS, _HIDDEN, None), *answer_openings()),
        learns={
            "client": CLIENT_LEARNS,
            "model_provider": PROVIDER_LEARNS,
            "gallery_holder": SIZES,
            "dealer": _DEALER,
        },
        coalitions=(
            *_WITH_CLIENT,
            Coalition(
                ("client", "dealer"),
                "what the client learns anyway: the dealer sees no opening, and the shares of an "
                "answer are re-randomised by a seed that the dealer has not",
                excluded_by_trust_model=False,
            ),
            Coalition(
                ("client", "model_provider"),
                CLIENT_AND_PROVIDER,
                excluded_by_trust_model=False,
            ),
            _BOTH_SERVERS,
            Coalition(
                ("model_provider", "dealer"),
                "the whole gallery, every score and decision: everything opened, without its mask",
                excluded_by_trust_model=True,
            ),
            Coalition(
                ("gallery_holder", "dealer"),
                "the whole gallery, every probe, score and decision: the same",
                excluded_by_trust_model=True,
            ),
        ),
        shortcuts=("trusted_dealer", "weak_generators"),
        held=(*((server, 1) for server in _SERVERS), ("dealer", 0)),
        ring_bits=64,
        material=_MATERIAL,
        top_k=1,
        libraries=_LIBRARIES,
    )
)  # fmt: skip
