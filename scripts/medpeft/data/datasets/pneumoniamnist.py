"""PneumoniaMNIST: chest radiographs of children at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import medmnist

DATASET = medmnist(
    "pneumoniamnist",
    title="PneumoniaMNIST chest radiographs of children",
    counts={"normal": 1583, "pneumonia": 4273},
    sizes=(4708, 524, 624),
    md5="d6a3c71de1b945ea11211b03746c1fe1",
    source="Kermany et al. 2018, Cell 172:1122",
    caveats=("All images are of children from one hospital, and a child with pneumonia has up to several images.",),
    labels="binary",
    positive="pneumonia",
)
