"""Datasets are called by their titles where readers see them."""

from medpeft.artefacts.palette import style
from medpeft.artefacts.words import case_title, plain, titled


def test_a_dataset_is_called_by_its_title_within_a_study_that_tells_it():
    with titled({"busi": "BUSI breast ultrasound", "my_scans": "my_scans"}):
        assert plain("busi") == "BUSI breast ultrasound"
        assert plain("my_scans") == "my scans"
        assert plain("other_set") == "other set"
        assert case_title("busi", "resnet50", 0.25) == "BUSI breast ultrasound, resnet50, 25 %"
    assert plain("busi") == "busi"


def test_two_datasets_of_one_title_have_their_names_beside_it():
    with titled({"north": "Chest radiographs", "south_2": "Chest radiographs", "skin": "Skin"}):
        assert [plain(name) for name in ("north", "south_2", "skin")] == [
            "Chest radiographs (north)",
            "Chest radiographs (south 2)",
            "Skin",
        ]


def test_a_method_has_a_label_whoever_wrote_it():
    assert [style(name).label for name in ("lora", "ia3", "own_method")] == ["LoRA", "ia3", "own method"]
