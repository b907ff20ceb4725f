"""BloodMNIST: blood cells at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import medmnist

DATASET = medmnist(
    "bloodmnist",
    title="BloodMNIST blood cells",
    counts={
        "basophil": 1218,
        "eosinophil": 3117,
        "erythroblast": 1551,
        "immature granulocyte": 2895,
        "lymphocyte": 1214,
        "monocyte": 1420,
        "neutrophil": 3329,
        "platelet": 2348,
    },
    sizes=(11959, 1712, 3421),
    md5="b718ff6835fcbdb22ba9eacccd7b2601",
    source="Acevedo et al. 2020, Data in Brief 30:105474",
    caveats=("Single cells under a microscope, the middle 200 x 200 of 360 x 363 pixels: 224 pixels show no more.",),
)
