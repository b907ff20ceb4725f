"""Real images, and what each method makes of the same prompts; drawn by the rule `samples`, for it reads images."""

from medpeft.artefacts.registry import Figure

CAPTION = "The same prompts and the same noise under every method, beside the real image of each prompt."
FIGURE = Figure(CAPTION, "generation", 2, (), experiments=("table4",), stage="samples")
