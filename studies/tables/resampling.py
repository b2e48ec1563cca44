"""How long importance sampling of t (Eq. 18) goes on drawing uniformly before it begins."""

from scipy.special import pdtr

from iddpm.config import LossSecondMoment


def warm_up_draws(T: int, *, history: int = LossSecondMoment().history) -> int:
    """Images after which every step t has been drawn `history` times, in half of all trainings.

    Under uniform draws the counts of the T steps are nearly independent Poisson variables, so all
    of them have reached `history` with probability (1 - P(count < history))^T.

    Args:
        T: Steps of the chain.
        history: Losses of each step that the sampler waits for.
    """

    from scipy.optimize import brentq  # few studies need it, and it takes a while to import

    def above_half(mean: float) -> float:
        return float((1 - pdtr(history - 1, mean)) ** T) - 0.5

    return round(T * float(brentq(above_half, 1e-9, 100 * (history + T))))


def share_resampled(
    T: int, images_seen: int, *, history: int = LossSecondMoment().history
) -> float:
    """Share of a training's images whose step was drawn by importance, as a rule."""
    return max(0.0, 1 - warm_up_draws(T, history=history) / images_seen)
