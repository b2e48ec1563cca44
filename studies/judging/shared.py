"""What arms of one seed have in common, for claims whose arms are not alike in all that is drawn.

All other arms of one seed meet the same images, steps, noise and x_T, and begin with the same
weights where their shapes agree.
"""

CHAINS_OF_ONE_NETWORK = (
    "Its chains of few and of many steps start from the same x_T. With brownian noise they add the "
    "increments of one path, each over the steps that it spans; else the noise of their k-th step "
    "is the same draw, which stands at another t."
)
BOUNDS_OF_ONE_NETWORK = (
    "Its bounds over few and over all steps meet the same images, with the same noise at the steps "
    "that both take."
)
TWO_CHAINS = (
    "Networks of two schedules, or of two T, begin with the same weights, meet the same images in "
    "the same order with the same noise, at the same t where T is the same, and are sampled from "
    "the same x_T; their x_t and what they are asked are not the same."
)
