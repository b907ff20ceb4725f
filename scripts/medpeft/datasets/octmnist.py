"""OCTMNIST: optical coherence tomography of the retina at 224 pixels, of MedMNIST+."""

from medpeft.medmnist import medmnist

DATASET = medmnist(
    "octmnist",
    title="OCTMNIST optical coherence tomography of the retina",
    counts=dict.fromkeys(
        (
            "choroidal neovascularization",
            "diabetic macular edema",
            "drusen",
            "normal",
        )
    ),
    sizes=(97477, 10832, 1000),
    md5="abc493b6d529d5de7569faaef2773ba3",
    source="Kermany et al. 2018, Cell 172:1122",
    caveats=("Training and validation were split from one set image by image; test classes are equally large.",),
)
