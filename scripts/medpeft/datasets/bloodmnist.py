"""BloodMNIST: blood cells at 224 pixels, of MedMNIST+."""

from medpeft.medmnist import medmnist

DATASET = medmnist(
    "bloodmnist",
    title="BloodMNIST blood cells",
    counts=dict.fromkeys(
        (
            "basophil",
            "eosinophil",
            "erythroblast",
            "immature granulocyte",
            "lymphocyte",
            "monocyte",
            "neutrophil",
            "platelet",
        )
    ),
    sizes=(11959, 1712, 3421),
    md5="b718ff6835fcbdb22ba9eacccd7b2601",
    source="Acevedo et al. 2020, Data in Brief 30:105474",
    caveats=("Single cells under a microscope, cut out at their centre.",),
)
