"""What a study keeps. Targets that are made of runs name all of it, so that what was deleted is made again."""


def job_at(dataset, **others):
    """The wildcards of a job on the data of a dataset."""
    return {"dataset": dataset, "definition": definition_at(dataset)} | others


def stored_at(size):
    """The wildcards that tell how images are stored where networks see `size` pixels of them."""
    pixels, _, fit = STUDY.stored_folder(size).partition("px")
    return {"pixels": pixels, "fit": fit}


def distinct(runs, *names):
    """The distinct values of some wildcards over runs."""
    return list(
        dict.fromkeys(tuple(getattr(run, name) for name in names) for run in runs)
    )


CLASSIFIED = STUDY.runs(task="classification")
SYNTHESISED = STUDY.runs(task="text-to-image")
DATA_JOBS = [job_at(*values) for values in distinct(STUDY.runs(), "dataset")]
SPLIT_JOBS = [
    job_at(dataset, seed=seed)
    for dataset, seed in distinct(STUDY.runs(), "dataset", "seed")
]
EXTERNAL_JOBS = [
    job
    for job in (job_at(other) for other in dict(map(reversed, STUDY.external())))
    if job not in DATA_JOBS
]
CAPTION_JOBS = [job_at(*values) for values in distinct(SYNTHESISED, "dataset")]
ENCODE_JOBS = [
    job_at(dataset, backbone=backbone)
    for dataset, backbone in distinct(SYNTHESISED, "dataset", "backbone")
]
RUN_JOBS = [run._asdict() for run in CLASSIFIED]
TESTED_JOBS = [
    run._asdict() | {"other": other}
    for name, other in STUDY.external()
    for run in STUDY.full_data(name)
]
UNET_JOBS = [run._asdict() for run in SYNTHESISED]
DOWNSTREAM = bool(STUDY.settings["generation"]["downstream"])
TUNING_SEED = STUDY.settings["tuning"]["seed"]

# Every rule whose outputs stay, with the wildcards of its jobs in this study.
JOBS = [
    (
        rules.download,
        [
            job | {"archive": archive.name}
            for job in DATA_JOBS + EXTERNAL_JOBS
            for archive in kept(job["dataset"]).dataset.archives
        ],
    ),
    (
        rules.prepare,
        [
            job | stored_at(STUDY.settings["image_size"])
            for job in DATA_JOBS + EXTERNAL_JOBS
        ]
        + [job | stored_at(STUDY.generated_size) for job in CAPTION_JOBS],
    ),
    (rules.captions, CAPTION_JOBS),
    (rules.attributes, [job_at(name) for name in STUDY.settings["subgroups"]]),
    (rules.duplicates, DATA_JOBS + EXTERNAL_JOBS),
    (rules.split, SPLIT_JOBS),
    (
        rules.subset,
        [
            {"dataset": name, "seed": seed}
            for name, seed in distinct(STUDY.runs(), "dataset", "seed")
        ]
        + [
            {"dataset": name, "seed": TUNING_SEED}
            for (name,) in distinct(CLASSIFIED, "dataset")
            if not PER_SEED
        ],
    ),
    (rules.audit_dataset, DATA_JOBS),
    (rules.card, DATA_JOBS),
    (
        rules.weights,
        [{"backbone": name} for (name,) in distinct(CLASSIFIED, "backbone")],
    ),
    (rules.diffusion_pipeline, ENCODE_JOBS),
    (rules.embed, [job for job in RUN_JOBS if methods.on_features(job["method"])]),
    (
        rules.embed,
        [
            job | {"dataset": job["other"]}
            for job in TESTED_JOBS
            if methods.on_features(job["method"])
        ],
    ),
    (rules.tune, [search._asdict() for search in STUDY.searches()]),
    (rules.finetune, RUN_JOBS),
    (rules.evaluate, RUN_JOBS),
    (
        rules.external_set,
        [{"dataset": name, "other": other} for name, other in STUDY.external()],
    ),
    (rules.external_predictions, TESTED_JOBS),
    (rules.encode, ENCODE_JOBS),
    (rules.finetune_unet, UNET_JOBS),
    (rules.generate, [job | {"split": "test"} for job in UNET_JOBS]),
    (rules.generate, [job | {"split": "train"} for job in UNET_JOBS * DOWNSTREAM]),
    (rules.reference, CAPTION_JOBS),
    (rules.fidelity, UNET_JOBS),
    (rules.copies, UNET_JOBS),
    (rules.features, CAPTION_JOBS * DOWNSTREAM),
    (rules.downstream_classifier, UNET_JOBS * DOWNSTREAM),
    (rules.count, [{}]),
    (rules.collect, [{}]),
    (rules.compare, [{}] * bool(CLASSIFIED)),
    (rules.compare_generated, [{}] * bool(SYNTHESISED)),
    (rules.classwise, [{}] * bool(CLASSIFIED)),
    (rules.floor, [job_at(*values) for values in distinct(CLASSIFIED, "dataset")]),
    (rules.rank, [{}] * bool(CLASSIFIED)),
    (rules.external_validation, [{}] * bool(TESTED_JOBS)),
    (rules.compare_subgroups, [{}] * bool(STUDY.settings["subgroups"])),
]
KEPT = list(
    dict.fromkeys(
        str(path).format(**job)
        for rule, jobs in JOBS
        for job in jobs
        for path in rule.output
    )
)


def needed_by(artefact):
    """What is kept of the study where an artefact is made of its runs."""
    return [] if artefact.sources == ("parameters",) else KEPT
