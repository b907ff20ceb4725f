"""From the publishers' archives to split and audited images."""


localrules:
    download,
    captions,
    attributes,
    split,
    subset,
    audit,
    card,
    cards,


rule download:
    input:
        code=generator_of,
        listing=listing_of,
    output:
        archive="<raw>/{archive,[^/]+}",
        note="<raw>/source/{archive,[^/]+}.json",
    log:
        "<raw>/{archive}.log",
    conda:
        "../envs/data.yaml"
    params:
        checksum=lambda wildcards: STUDY.settings["checksums"].get(wildcards.archive),
        declared=decisive_of,
        content=content_of,
    script:
        "../scripts/download.py"


rule prepare:
    input:
        archives=archives_of,
        notes=notes_of,
        code=code_of("prepare"),
    output:
        images="<stored>/images.npy",
        manifest="<stored>/manifest.csv",
        labels="<stored>/labels.json",
        losses="<stored>/losses.csv",
        pixels="<stored>/pixels.csv",
    log:
        "<stored>/prepare.log",
    conda:
        "../envs/data.yaml"
    threads: 4
    params:
        size=lambda wildcards: int(wildcards.pixels),
        declared=decisive_of,
        refused=no_longer_accepted(
            lambda wildcards: kept_at(
                f"{DESCRIBED}/{wildcards.pixels}px{wildcards.fit}",
                wildcards.dataset,
                "",
            )
        ),
    script:
        "../scripts/prepare.py"


rule captions:
    input:
        archives=archives_of,
        notes=notes_of,
        code=code_of("captions"),
    output:
        "<described>/captions.csv",
    log:
        "<described>/captions.log",
    conda:
        "../envs/data.yaml"
    params:
        declared=titled_of,
        content=captions_of,
    script:
        "../scripts/captions.py"


rule attributes:
    input:
        archives=archives_of,
        notes=notes_of,
        code=code_of("attributes"),
    output:
        "<described>/attributes.csv",
    log:
        "<described>/attributes.log",
    conda:
        "../envs/data.yaml"
    params:
        declared=attributed_of,
        content=attributes_of,
    script:
        "../scripts/attributes.py"


rule duplicates:
    input:
        images="<prepared>/images.npy",
        manifest="<prepared>/manifest.csv",
        code=code_of("duplicates"),
    output:
        "<prepared>/duplicates.csv",
    log:
        "<prepared>/duplicates.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=growing(3000),
    script:
        "../scripts/duplicates.py"


rule split:
    input:
        manifest=prepared("manifest.csv"),
        duplicates=prepared("duplicates.csv"),
        given=given_split_of,
        code=code_of("split"),
    output:
        split="<splits>/split.csv",
        checksum="<splits>/split.csv.sha256",
        losses="<splits>/losses.csv",
    log:
        "<splits>/split.log",
    conda:
        "../envs/data.yaml"
    params:
        protocol=STUDY.settings["split"]["protocol"],
        duplicates=STUDY.settings["split"]["duplicates"],
        seed=lambda wildcards: STUDY.split_seed(wildcards.get("seed", "0")),
        declared=decisive_of,
        refused=no_longer_accepted(lambda wildcards: SPLITS.format(**wildcards)),
    script:
        "../scripts/split.py"


rule subset:
    input:
        manifest=prepared("manifest.csv"),
        split="<splits>/split.csv",
        code=code_of("subset"),
    output:
        "<subset>.csv",
    log:
        "<subset>.log",
    conda:
        "../envs/data.yaml"
    script:
        "../scripts/subset.py"


rule audit_dataset:
    input:
        images=prepared("images.npy"),
        manifest=prepared("manifest.csv"),
        duplicates=prepared("duplicates.csv"),
        split=audited("split.csv"),
        losses=prepared("losses.csv"),
        strangers=audited("losses.csv"),
        pixels=prepared("pixels.csv"),
        code=code_of("audit"),
    output:
        table="<study>/audit/{dataset}.csv",
        picture=report(
            "<study>/audit/{dataset}_pairs.png",
            caption="../report/audit.rst",
            category="Audit",
        ),
    log:
        "<study>/audit/{dataset}.log",
    conda:
        "../envs/results.yaml"
    params:
        protocol=lambda wildcards: STUDY.protocol(wildcards.dataset),
        seed=lambda wildcards: STUDY.split_seed(STUDY.first_seed(wildcards.dataset)),
        declared=decisive_of,
        fit=STUDY.settings["image_fit"],
    script:
        "../scripts/audit.py"


rule card:
    input:
        audit="<study>/audit/{dataset}.csv",
        lengths=lambda wildcards: lengths_of([wildcards.dataset]),
        code=code_of("card"),
    output:
        card=report(
            "<study>/cards/{dataset}.md",
            caption="../report/card.rst",
            category="Datasets",
        ),
    log:
        "<study>/cards/{dataset}.log",
    conda:
        "../envs/results.yaml"
    params:
        protocol=lambda wildcards: STUDY.protocol(wildcards.dataset),
        declared=declared_of,
        fit=STUDY.settings["image_fit"],
        flips=STUDY.settings["recipe"]["horizontal_flip"],
        per_seed=SPLIT_PER_SEED,
    script:
        "../scripts/card.py"


rule cards:
    input:
        expand("<study>/cards/{dataset}.md", dataset=STUDY.values("dataset")),


rule audit:
    input:
        expand("<study>/audit/{dataset}.csv", dataset=STUDY.values("dataset")),
