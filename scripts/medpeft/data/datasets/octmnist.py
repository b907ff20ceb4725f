"""OCTMNIST: optical coherence tomography of the retina at 224 pixels, of MedMNIST+."""

from medpeft.data.dataset import Caveat
from medpeft.data.datasets._medmnist import NINE_TO_ONE, medmnist

DATASET = medmnist(
    "octmnist",
    title="OCTMNIST optical coherence tomography of the retina",
    counts={"choroidal neovascularization": 37455, "diabetic macular edema": 11598, "drusen": 8866, "normal": 51390},
    sizes=(97477, 10832, 1000),
    md5="abc493b6d529d5de7569faaef2773ba3",
    source="Kermany et al. 2018, Cell 172:1122",
    caveats=(
        NINE_TO_ONE,
        Caveat("Test classes are equally large, those in training are not.", protocol="paper"),
    ),
)
