"""Mistakes with recipes and runs."""

from commands import Words

from wrong_inputs.desk import Desk, mistake


@mistake("a misspelt setting", "--data.batchsize=4; did you mean data.batch_size?")
def _(desk: Desk) -> Words:
    return desk.train("--data.batchsize=4")


@mistake("a misspelt key in a recipe of one's own", "'heigth'; did you mean data.height?")
def _(desk: Desk) -> Words:
    (desk.root / "mine.yaml").write_text("data:\n  heigth: 64\n")
    return desk.train(recipe=str(desk.root / "mine.yaml"))


@mistake("a list for a section of a recipe", "names with values under data, got ['frames']")
def _(desk: Desk) -> Words:
    (desk.root / "mine.yaml").write_text("data:\n- frames\n")
    return desk.train(recipe=str(desk.root / "mine.yaml"))


@mistake("an unknown recipe", "got 'depth_hint_s'; did you mean depth_hints_s?")
def _(desk: Desk) -> Words:
    return desk.train(recipe="depth_hint_s")


@mistake("data and recipe the wrong way round", "the recipe comes first: leadline train RECIPE")
def _(desk: Desk) -> Words:
    return ("train", desk.rig(), "demo", "--out", desk.root / "run")


@mistake("a negative size", "expected positive height, width and batch_size, got -64, 64, 2")
def _(desk: Desk) -> Words:
    return desk.train("--data.height=-64")


@mistake("no epochs", "run.epochs: expected 1 or more, got 0")
def _(desk: Desk) -> Words:
    return desk.train("--run.epochs=0")


@mistake("a gradient clipped to less than nothing", "run.clip_gradient: expected a norm above 0")
def _(desk: Desk) -> Words:
    return desk.train("--run.clip_gradient=-1")


@mistake("a training set limited to nothing", "limit: expected 1 frame or more, got 0")
def _(desk: Desk) -> Words:
    return desk.train("--data.limit=0")


@mistake("a negative seed", "seed: expected 0 or more, got -1")
def _(desk: Desk) -> Words:
    return desk.train("--seed=-1")


@mistake("more than all of an error", "ssim_weight: expected a share from 0 to 1, got 2")
def _(desk: Desk) -> Words:
    return desk.train("--model.explainer.ssim_weight=2")


@mistake("batches larger than the data", "got 8; lower batch_size or add images")
def _(desk: Desk) -> Words:
    return desk.train("--data.batch_size=12")


@mistake("a device for an accelerator", "run.accelerator", "'cuda', 'mps'", "Got value: cuda:0")
def _(desk: Desk) -> Words:
    return desk.train("--run.accelerator=cuda:0")


@mistake("weights: hub without a connection", "could not be fetched", "--weights FOLDER` or none")
def _(desk: Desk) -> Words:
    words = ("train", "monodepth2_s", desk.rig(), "--out", desk.root / "run", *desk.settings())
    # A model that is on no hub, so that a cache cannot help.
    key = "--model.predictor.init_args.depth.init_args.backbone"
    return (*words, f"{key}=leadline/not-there", "--weights", "hub")


@mistake("--init-from weights of another network", "weights of another network")
def _(desk: Desk) -> Words:
    key = "--model.predictor.init_args.depth.init_args.backbone"
    return desk.train("--init-from", desk.model, f"{key}=resnet18")


@mistake("a learning rate that blows up", "is not finite", "lower the learning rate")
def _(desk: Desk) -> Words:
    return desk.train("--model.optimiser.init_args.lr=1e30")


# Runs that go on.


@mistake(
    "a run resumed with other settings",
    "holds a run with other settings (data.jitter was True, now False)",
    before=lambda desk: desk.train(),
)
def _(desk: Desk) -> Words:
    return desk.train("--data.jitter=false", rig=desk.root / "rig")


@mistake(
    "a run resumed with more images a batch",
    "holds a run with 2 images a batch (batch_size x devices), this one would have 4",
    "change data.batch_size or run.devices",
    before=lambda desk: desk.train(),
)
def _(desk: Desk) -> Words:
    return desk.train("--data.batch_size=4", "--run.epochs=2", rig=desk.root / "rig")


@mistake(
    "a damaged resume point",
    "resume.ckpt: expected the state of a training run",
    "delete it to start again",
    before=lambda desk: desk.train(),
)
def _(desk: Desk) -> Words:
    path = desk.root / "run" / "resume.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    return desk.train("--run.epochs=2", rig=desk.root / "rig")


@mistake("a run in a place that cannot be written", "Not a directory; check the path")
def _(desk: Desk) -> Words:
    (desk.root / "notes.txt").write_text("mine")
    return desk.train(out=desk.root / "notes.txt" / "run")


@mistake("features of no autoencoder", "extractor: expected a trained autoencoder, got none")
def _(desk: Desk) -> Words:
    return ("train", "featdepth_ms", desk.rig(), "--out", desk.root / "run", "--weights", "none")


@mistake("a depth network in the place of an autoencoder", "expected an extractor that is a")
def _(desk: Desk) -> Words:
    words = ("train", "featdepth_ms", desk.rig(), "--out", desk.root / "run", "--weights", "none")
    return (*words, "--extractor", desk.model)


@mistake("bundle adjustment without true motion", "objective.", "the data set knows no motion")
def _(desk: Desk) -> Words:
    small = (s for s in desk.settings() if ".depth." not in str(s))
    words = ("train", "banet", desk.rig(), "--out", desk.root / "run", "--weights", "none")
    backbone = f"--model.predictor.init_args.backbone={desk.backbone}"
    return (*words, *small, backbone, "--data.train_depth=false")
