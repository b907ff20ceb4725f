"""RetinaMNIST: fundus photographs at 224 pixels, of MedMNIST+."""

from medpeft.medmnist import medmnist

DATASET = medmnist(
    "retinamnist",
    title="RetinaMNIST fundus photographs",
    counts=dict.fromkeys(
        (
            "grade 0",
            "grade 1",
            "grade 2",
            "grade 3",
            "grade 4",
        )
    ),
    sizes=(1080, 120, 400),
    md5="eae7e3b6f3fcbda4ae613ebdcbe35348",
    source="DeepDRiD, Liu et al. 2022, Patterns 3:100512",
    caveats=(
        "Grades of diabetic retinopathy are ordered, and are treated here as classes.",
        "Training and validation were split from one set image by image, though patients have several images.",
    ),
)
