"""RetinaMNIST: fundus photographs at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import NINE_TO_ONE, medmnist

DATASET = medmnist(
    "retinamnist",
    title="RetinaMNIST fundus photographs",
    counts={"grade 0": 714, "grade 1": 186, "grade 2": 326, "grade 3": 282, "grade 4": 92},
    sizes=(1080, 120, 400),
    md5="eae7e3b6f3fcbda4ae613ebdcbe35348",
    source="DeepDRiD, Liu et al. 2022, Patterns 3:100512",
    caveats=(NINE_TO_ONE,),
    labels="ordinal",
)
