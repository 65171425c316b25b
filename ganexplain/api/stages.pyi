"""Every command as a function: settings in, the record of its run out.

Made from the settings by `python docs/build/stubs.py`.
"""

from collections.abc import Sequence
from concurrent.futures import Executor

from ganexplain.api.arguments import Given, Network, PathName
from ganexplain.api.records import (
    Attribution,
    Counterfactual,
    Described,
    Explainer,
    FalseAlarms,
    File,
    Page,
    Predicted,
    Rerun,
    TrainedClassifier,
    TrainedGan,
    Validated,
)
from ganexplain.api.runs import ProgressCallback
from ganexplain.api.units import Explanation, Responses, Selection
from ganexplain.api.whole import WholeRun

def train_classifier(
    corpus: PathName | Sequence[PathName],
    *,
    preset: str = "best",
    input: PathName = "",
    architecture: str = "svdnet",
    outputs: int = 0,
    epochs: int = 20,
    updates_per_epoch: int = 500,
    batch_size: int = 32,
    optimiser: str = "adamw",
    learning_rate: float = 0.001,
    schedule: str = "cosine",
    learning_rate_decay: float = 0.85,
    momentum: float = 0.95,
    weight_decay: float = 0.01,
    batch_norm: bool = True,
    level_invariant: bool = False,
    augment: float = 0.7,
    level: float = 10.0,
    mix: float = 0.5,
    masks: bool = True,
    mixup: float = 0.0,
    balance: bool = False,
    precision: str = "bfloat16",
    workers: int = 1,
    scheduler_file: str = "",
    checkpoint_every: int = 1000,
    seed: int = 0,
    device: str = "auto",
    cache: str = "",
    skip_bad_files: bool = False,
    format: str = "pt",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> TrainedClassifier:
    """Train a classifier on labelled recordings: OUT/classifier.pt.

    Presets: `best`, the defaults below; `quick`, a tenth of the updates and no augmentation;
    `paper`, the recipe of Schlueter and Grill (2015); `detector`, a network that hears 4.9 s and
    ignores their level, for the best predictions if there are hours of music.

    Args:
        corpus: Folders of sound files, folders in the Jamendo layout (audio, labels, filelists),
            CSV manifests, or folders of pictures (CLASS/NAME.png); a classifier needs labels.
        preset: Preset for all options that are not given: best, quick, paper or detector.
        input: TOML file with the size and channels of pictures; empty: as in the files.
        architecture: Architecture: svdnet, compactnet, or temporalnet, which hears 4.9 s.
        outputs: Number of output units; 0: one for two classes, otherwise one per class.
        epochs: Number of epochs; the best one on the validation split is kept.
        updates_per_epoch: Number of updates per epoch.
        batch_size: Excerpts per update.
        optimiser: Optimiser: adamw, or sgd with Nesterov momentum.
        learning_rate: Initial learning rate.
        schedule: Learning rate schedule: cosine (to zero) or step (per epoch).
        learning_rate_decay: With `schedule step`: factor applied after each epoch.
        momentum: With `optimiser sgd`: Nesterov momentum.
        weight_decay: With `optimiser adamw`: weight decay.
        batch_norm: Use batch normalisation in training; it is folded into the weights afterwards.
        level_invariant: Constrain the first filters to zero mean, so that gain has no effect.
        augment: Share of excerpts that are equalised and stretched in time and pitch by up to 30 %.
        level: Maximum random gain (dB).
        mix: Share of excerpts mixed with an excerpt of the first class (two classes only).
        masks: Mask spans of frames and bands (SpecAugment).
        mixup: Parameter x of mixup, which blends pairs of excerpts by Beta(x, x); 0: off.
        balance: Draw each class equally often, and in a class each kind of recording (column
            `kind`).
        precision: Precision of convolutions in training: bfloat16 or float32. A CPU without fast
            instructions for bfloat16 computes in float32, and the record says so.
        workers: Threads that prepare batches, and processes that compute features before the
            training; 0: the process of the run does both.
        scheduler_file: File that a Dask scheduler writes with its address; its workers compute
            features.
        checkpoint_every: Updates between checkpoints for resume.
        seed: Seed of all random draws.
        device: Device: auto, cpu, cuda or cuda:N.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        format: Format of the trained network's file: pt or safetensors.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        TrainedClassifier: A trained classifier, which can be passed as `network`.

        Attributes of it:
            result: Path of `classifier.pt`.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> trained = train_classifier("sample_data", preset="quick", epochs=1, updates_per_epoch=2)
        >>> trained.classes
        ('nosing', 'sing')
    """

def predict(
    files: PathName | Sequence[PathName],
    network: Network,
    *,
    outputs: str = "auto",
    hop_seconds: float = 0.0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    cache: str = "",
    skip_bad_files: bool = False,
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Predicted:
    """Predict the classes over time in recordings: OUT/NAME.csv, NAME.lab and NAME.png per file.

    NAME is the name of the file without its extension; if two files share a name, the second is
    NAME-2. For pictures: OUT/predictions.csv, the class and all probabilities of each picture. A
    classifier.pt predicts every frame, a network of your own (network) one excerpt after another.
    Finished files are kept for resume.

    Args:
        files: Recordings, pictures, or folders of pictures.
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory).
        outputs: Type of the outputs of network: logits, probabilities, activations (units that are
            not classes), or auto (detected from the values).
        hop_seconds: Seconds between predictions of network; 0: a tenth of an excerpt.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Predicted: Predictions for recordings or pictures. In a notebook it shows the curves.

        Attributes of it:
            result: For each file its classes, and the paths of its curve, segments and picture.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> network = "sample_data/pretrained/classifier.pt"
        >>> found = predict("sample_data/audio/gig_lea_soul.ogg", network)
        >>> round(found.result.recordings[0].seconds)
        26
    """

def train_gan(
    corpus: PathName | Sequence[PathName],
    *,
    preset: str = "small",
    input: PathName = "",
    loss: str = "relativistic",
    classifier: Network = "",
    features_of: PathName = "",
    start: PathName = "",
    augment: bool = False,
    channels: int = 128,
    autoencoder_steps: int = 1000,
    steps: int = 20000,
    batch_size: int = 0,
    learning_rate: float = 0.0,
    ema_decay: float = 0.999,
    encoder_steps: int = 500,
    sample_every: int = 1000,
    precision: str = "bfloat16",
    checkpoint_every: int = 1000,
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    cache: str = "",
    skip_bad_files: bool = False,
    format: str = "pt",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> TrainedGan:
    """Train a GAN that generates excerpts like those of a corpus: OUT/gan.pt, with samples.

    Presets: `small`, the defaults below; `large`, the authors' large generator; `paper`, their
    recipe.

    Args:
        corpus: Folders of sound files, folders in the Jamendo layout (audio, labels, filelists),
            CSV manifests, or folders of pictures (CLASS/NAME.png); a classifier needs labels.
        preset: Preset for all options that are not given: small, large or paper.
        input: TOML file that describes what to generate; empty: log-mel, or pictures as in the
            files.
        loss: Loss: relativistic, non-saturating, hinge or wgan-gp.
        classifier: Path of a classifier.pt whose features are used to choose the best generator.
        features_of: Path of another classifier.pt, or hf://OWNER/NAME, whose features a second
            discriminator uses.
        start: Path of a gan.pt, or hf://OWNER/NAME, to train further, in place of
            autoencoder_steps; empty: random weights.
        augment: Augment the inputs of the discriminators, for small corpora.
        channels: Channels of the generator's first layer.
        autoencoder_steps: Updates as the decoder of a variational autoencoder, before the GAN; 0:
            none.
        steps: Adversarial updates of the generator.
        batch_size: Excerpts per update; 0: the default of the loss.
        learning_rate: Learning rate (Adam); 0: the default of the loss.
        ema_decay: Decay per step of the generator's moving average.
        encoder_steps: Updates of the encoder of the best generator.
        sample_every: Updates between validations; each writes samples.
        precision: Precision of the networks in training: float32 or bfloat16. A CPU without fast
            instructions for bfloat16 computes in float32, and the record says so.
        checkpoint_every: Updates between checkpoints for resume.
        seed: Seed of all random draws.
        workers: Workers that compute features (and the maps of cgan) before the training: a number
            of processes; auto: one per core if there are many; or the address of a Dask scheduler,
            tcp://HOST:PORT or tls://HOST:PORT. The training itself is divided by torchrun.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        format: Format of the trained network's file: pt or safetensors.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        TrainedGan: A trained GAN, which can be passed as `gan`. In a notebook it shows samples.

        Attributes of it:
            result: Path of `gan.pt`.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> gan = train_gan("sample_data", steps=2, sample_every=2, autoencoder_steps=0,
        ...                 encoder_steps=1)
        >>> gan.generate(3).shape
        (3, 80, 115)
    """

def counterfactual(
    start_from: PathName | Sequence[PathName],
    network: Network,
    unit: str = "output",
    *,
    on: str = "recording",
    cells: float = 0.2,
    judge: PathName | Sequence[PathName] = (),
    outputs: str = "auto",
    level: str = "",
    prior: str = "near",
    prior_weight: float = 0.1,
    learning_rate: float = 0.02,
    iterations: int = 200,
    refine_steps: int = 300,
    griffin_lim_iterations: int = 100,
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    gan: PathName = "",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Counterfactual:
    """Change real excerpts until the network's decision changes: OUT/counterfactual.npz, sounds.

    The recording itself is edited: at most a fifth of its spectrogram's cells (cells) become louder
    or softer. The smoothest such edit that changes the decision is used. With on gan, a GAN
    reconstructs each excerpt, and the latent of this copy is moved.

    Args:
        start_from: Excerpt as FILE@SECONDS, the time at which it begins (`attribute`: its centre);
            a sequence for several.
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory).
        unit: Unit: LAYER:UNIT, a layer for its first unit, or a class; a sequence for several.
            Unit: its number (for a convolution, the channel), 0,3,8-11 for several, or all; 17@max
            or 17@12,30 (a place), a class, classA-classB, or FILE.npy (a direction).
        on: Subject of the change: recording (levels of its spectrogram) or gan (a GAN's copy of
            it).
        cells: Recording: largest share of the spectrogram's cells that an edit changes.
        judge: Recording: another network to ask about the edit, classifier.pt or MODEL@INPUT.toml;
            a sequence for several.
        outputs: Type of the outputs of network: logits, probabilities, activations (units that are
            not classes), or auto (detected from the values).
        level: Response that separates the two sides; empty: the decision for output units that have
            a class name, for others the median of 256 excerpts of the recordings (or GAN samples).
        prior: GAN: prior on the latent z: near (the start, by |z - start|^2), l2, shell or sphere.
        prior_weight: GAN: weight of the prior; not used by sphere.
        learning_rate: GAN: learning rate (Adam).
        iterations: Maximum number of steps to reach the other side.
        refine_steps: GAN: number of steps that refine the encoder's latent, and of steps that add
            what it misses.
        griffin_lim_iterations: GAN: number of iterations of the phase reconstruction (Griffin-Lim).
        seed: Seed of the initial phases, of the samples for a median and of edits elsewhere.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        gan: Path of gan.pt, or hf://OWNER/NAME. With `on recording`, an edit must stay near what
            this GAN generates; empty: no such check.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Counterfactual: Excerpts and what would change the decision. In a notebook it shows and
        plays them.

        Attributes of it:
            result: For each excerpt the sides, the responses and the change by bands.

        Shape of it:
            `arrays["edit_db"]`, `"original_mel"` and `"edited_mel"` are (N, F, T) for N excerpts.
            With `on="gan"` `"original_mel"`, `"reconstruction_mel"` and `"counterfactual_mel"` are
            (N, ...), `"reconstruction_latent"` and `"counterfactual_latent"` (N, Z).

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> flipped = counterfactual("sample_data/audio/gig_lea_soul.ogg@3.5", network,
        ...                          iterations=12)
        >>> flipped.arrays["edit_db"].shape
        (1, 80, 115)
    """

def false_alarms(
    corpus: PathName | Sequence[PathName],
    network: Network,
    *,
    target: str | Sequence[str] = (),
    outputs: str = "auto",
    level: float = 0.5,
    hop_seconds: float = 0.0,
    segments: str = "8x16",
    most: int = 100,
    generated: int = 4,
    edits: bool = True,
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    cache: str = "",
    skip_bad_files: bool = False,
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> FalseAlarms:
    """Find what a network takes for a class that is not there, and why: OUT/CLASS.html.

    In a corpus without labels, every excerpt counts as one without the class. If labels name the
    class, only excerpts that are wholly labelled as something else count. The bands and times that
    cause an alarm are removed from the recording, and the rest is written to a file, read and
    passed through the network again. No gradient is needed. Finished recordings are kept for
    resume.

    Args:
        corpus: Recordings: folder of sound files, folder in the Jamendo layout (audio, labels,
            filelists), or CSV manifest; a sequence for several.
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory).
        target: Class, or all; a sequence for several. Default: the second of two classes, otherwise
            all; required if the network always finds one of more than two classes and the corpus
            has no labels of them.
        outputs: Type of the outputs of network: logits, probabilities, activations (units that are
            not classes), or auto (detected from the values).
        level: With `outputs activations`: value of a unit above which it is an alarm.
        hop_seconds: Seconds between the starts of successive excerpts; 0: one excerpt after
            another. A rest of a recording that is shorter than an excerpt is not used.
        segments: Segments of which a cause consists: columns x rows (times x bands).
        most: Maximum number of alarms that are explained for each class, the highest score of each
            recording first.
        generated: Number of sounds to generate for each class that has alarms or is named: mixtures
            of excerpts without the class that the network takes for it.
        edits: Find the smallest edit that ends the first alarm of each group, as `counterfactual`
            does (not for black boxes).
        seed: Seed of all random draws.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        FalseAlarms: Where a network finds a class that is not there, and why. In a notebook it
        plays causes.

        Attributes of it:
            result: For each class how often, the groups of alarms with their causes, and the page.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> alarms = false_alarms("sample_data/audio", network, most=1, segments="2x4", edits=False,
        ...                       generated=0)
        >>> alarms.result.classes[0].name
        'sing'
    """

def responses(
    corpus: PathName | Sequence[PathName],
    network: Network,
    unit: str | Sequence[str] = "output",
    *,
    features: str = "",
    top: int = 50,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    cache: str = "",
    skip_bad_files: bool = False,
    hop_frames: int = 10,
    overlapping: bool = False,
    gan: PathName = "",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Responses:
    """Find the real excerpts that drive units most and least: OUT/responses.npz.

    `explain search adaptive` uses these responses as its target; `select` takes them in place of a
    corpus. Finished parts are kept for resume.

    Args:
        corpus: Folders of sound files, folders in the Jamendo layout (audio, labels, filelists),
            CSV manifests, or folders of pictures (CLASS/NAME.png); a classifier needs labels.
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory).
        unit: Unit: LAYER:UNIT, a layer for its first unit, or a class; a sequence for several.
            Unit: its number (for a convolution, the channel), 0,3,8-11 for several, or all; 17@max
            or 17@12,30 (a place), a class, classA-classB, or FILE.npy (a direction).
        features: Layer whose features are recorded for `select`; empty: the last hidden layer.
        top: Number of excerpts with the highest and with the lowest response.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        hop_frames: Frames between the starts of successive real excerpts.
        overlapping: Try an excerpt at every frame and keep overlapping ones, as the authors do.
        gan: Path of gan.pt, if network takes another kind of input than the GAN generates.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Responses: The real excerpts that drive a unit most, strongest last.

        Attributes of it:
            units: The same for each unit, if there are several.
            arrays: All arrays of `responses.npz`; with the prefix `bottom_` those that drive it
                least.

        Shape of it:
            `inputs` (R, ...) for R excerpts, `response` (R,), `recording` (R,) the file of each,
            and `start_s` (R,) where it begins, in seconds.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> network, gan = "sample_data/pretrained/classifier.pt", "sample_data/pretrained/gan.pt"
        >>> real = responses("sample_data", network, "sing", top=4, hop_frames=40)
        >>> real.inputs.shape
        (4, 80, 115)
    """

def explain(
    network: Network,
    gan: PathName = "",
    unit: str | Sequence[str] = "output",
    *,
    prior_from: PathName = "",
    direction: str = "max",
    learning_rate: float | Sequence[float] = (0.1, 0.01, 0.001),
    prior: str = "l2",
    prior_weight: float | Sequence[float] = (0.1, 0.01, 0.001),
    iterations: int | Sequence[int] = (100, 500, 1000),
    examples: int = 50,
    objective: str = "response",
    beyond: str = "",
    hysteresis: bool = False,
    search: str = "grid",
    calls: int = 17,
    guide: PathName | Sequence[PathName] = (),
    responses: PathName = "",
    features: str = "",
    precision: str = "float32",
    batch_size: int = 0,
    shard: str = "",
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Explanation:
    """Generate inputs that drive units, by several settings of the search: OUT/explanations.npz.

    The adaptive search aims at the excerpts of `responses`. The default grid is that of Mishra et
    al. (2019), 3 x 3 x 3 settings of 50 examples, which takes ten times as long. With several
    units, each has its own folder, OUT/LAYER-NEURON-DIRECTION. Finished blocks are kept for resume.

    Args:
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory).
        gan: Path of gan.pt, or hf://OWNER/NAME.
        unit: Unit: LAYER:UNIT, a layer for its first unit, or a class; a sequence for several.
            Unit: its number (for a convolution, the channel), 0,3,8-11 for several, or all; 17@max
            or 17@12,30 (a place), a class, classA-classB, or FILE.npy (a direction).
        prior_from: Corpus of recordings in place of gan: excerpts of it are mixed, shifted,
            filtered and made louder or softer.
        direction: Direction: max, min or both (maximise or minimise the activation).
        learning_rate: Learning rate (Adam); a sequence for several.
        prior: Prior on the latent z: l2 (towards the origin), shell (towards the norm sqrt(128)),
            sphere (fixed at that norm) or langevin (samples instead of an optimum).
        prior_weight: Weight of the prior (langevin: half its temperature; sphere: not used); a
            sequence for several.
        iterations: Number of iterations; a sequence for several.
        examples: Number of examples for each setting.
        objective: Objective: response (drive the unit) or match (activations like those of the real
            excerpts of responses that drive it).
        beyond: Values that a search leaves unchanged: output (the outputs of the network, to find
            what else drives the unit) or empty (none).
        hysteresis: Keep a better iterate only if |response| changes by 0.1 or more, as the authors
            do.
        search: Search: grid (all settings), adaptive (guided by responses, at a tenth of the cost),
            evolution (all settings, without gradients; chosen for black boxes), elites (the same
            for all units at once, which share every call) or surrogate (the same by gradients of a
            model of the responses, with guide).
        calls: Evolution, elites: calls of the network for each iteration and example. The learning
            rate is a quarter of the first population's standard deviation.
        guide: Surrogate: another network that hears such sounds and has gradients, classifier.pt or
            MODEL@INPUT.toml; a sequence for several.
        responses: Path of responses.npz, or run directory of `responses`; required by search
            adaptive and objective match.
        features: Layer whose features are recorded for `select`; empty: the last hidden layer.
        precision: Precision of the search: float32, tfloat32 (GPU) or bfloat16. A CPU without fast
            instructions for bfloat16 computes in float32, and the record says so.
        batch_size: Searches per batch and per saved block; 0: 48 on a CPU, 512 on a GPU.
        shard: Share of the run, i/n: every n-th block, starting with block i (0 to n - 1).
        seed: First seed: example k starts from the latent drawn with seed + k.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Explanation: Inputs that drive a unit: C settings with N examples each. In a notebook it
        shows itself.

        Attributes of it:
            units: The same for each unit and direction, if there are several.
            arrays: All arrays of `explanations.npz`, by their keys there.

        Shape of it:
            `learning_rate`, `prior_weight`, `iterations` (C,); `latent` (C, N, Z); `inputs`
            (C, N, ...) as the GAN generates them, described by `input_spec`; `response` (C, N);
            `start_inputs` (N, ...) and `start_response` (N,) before the search.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> network, gan = "sample_data/pretrained/classifier.pt", "sample_data/pretrained/gan.pt"
        >>> found = explain(network, gan, "sing", learning_rate=0.1, prior_weight=0.01,
        ...                 iterations=(1, 5), examples=4)
        >>> found.inputs.shape
        (2, 4, 80, 115)
    """

def train_explainer(
    corpus: PathName | Sequence[PathName],
    network: Network | Sequence[PathName],
    *,
    method: str = "cgan",
    preset: str = "small",
    layer: str = "",
    target: str = "predicted",
    teacher: str = "occlusion",
    occlusion_grid: int = 8,
    passes: int = 60000,
    coalitions: int = 16,
    examples: int = 400,
    shuffled: int = 1,
    held_out: int = 64,
    generator: str = "lsft",
    gradient: bool = True,
    size: int = 24,
    width: int = 16,
    l1_weight: float = 100.0,
    adversarial_weight: float = 1.0,
    discriminator_every: int = 4,
    discriminator_rate: float = 0.001,
    clip: float = 10.0,
    ema_decay: float = 0.998,
    targets: str | Sequence[str] = (),
    filter_weight: float = 0.0,
    share_weight: float = 0.05,
    events: PathName = "",
    top: int = 5,
    shown: int = 12,
    steps: int = 0,
    batch_size: int = 0,
    learning_rate: float = 0.001,
    look_every: int = 100,
    precision: str = "bfloat16",
    checkpoint_every: int = 100,
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    cache: str = "",
    skip_bad_files: bool = False,
    format: str = "pt",
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Explainer:
    """Train a network that explains classifiers: OUT/explainer.pt, for `attribute explainer`.

    With `method parts` also writes OUT/parts.npz, parts.png and, for sound, parts.html, which show
    what each filter responds to.

    Presets: `small`, the defaults below; `paper`, the network sizes of Akash Guna et al. (cgan),
    which need a GPU.

    Args:
        corpus: Folders of sound files, folders in the Jamendo layout (audio, labels, filelists),
            CSV manifests, or folders of pictures (CLASS/NAME.png); a classifier needs labels.
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory).
        method: Explainer to train: cgan (a conditional GAN that generates maps) or parts.
        preset: Preset for all options that are not given: small or paper.
        layer: Convolution whose map is learned (cgan) or whose features become parts; empty: the
            last one.
        target: cgan: class to explain, or `predicted`.
        teacher: cgan: maps to learn: shapley (from responses to random sets of squares), or exact
            maps of a few inputs, occlusion (of squares) or grad-cam (of layer).
        occlusion_grid: cgan, teacher shapley, occlusion: maximum number of squares along each axis.
        passes: cgan, teacher shapley: inputs passed through the classifiers in the training.
        coalitions: cgan, teacher shapley: random sets of squares for each input, an even number.
        examples: cgan, teacher occlusion, grad-cam: number of training inputs with a map.
        shuffled: cgan: networks with shuffled weights to learn from for each classifier, so that
            the map does not depend on the input alone (teacher shapley: 0 for none, otherwise every
            fourth update is on one).
        held_out: Inputs of the validation split used for evaluation.
        generator: cgan, teacher occlusion, grad-cam: generator, lsft (one map per block) or gsft
            (all maps in each block).
        gradient: cgan: add the input times the gradient as a condition (teacher shapley: the
            contributions of input and convolutions).
        size: cgan, teacher occlusion, grad-cam: maximum number of cells along the longer axis of a
            map; 0: the size of the input.
        width: cgan: features of the generator and the discriminator.
        l1_weight: cgan, teacher occlusion, grad-cam: weight of the mean absolute error.
        adversarial_weight: cgan, teacher occlusion, grad-cam: weight of the adversarial loss.
        discriminator_every: cgan, teacher occlusion, grad-cam: generator updates per discriminator
            update.
        discriminator_rate: cgan, teacher occlusion, grad-cam: learning rate of the discriminator
            (Adam).
        clip: cgan: maximum gradient norm; 0: no clipping.
        ema_decay: cgan: decay per step of the generator's moving average.
        targets: parts: layer to reconstruct; a sequence for several. Default: all fully connected
            layers except the last.
        filter_weight: parts: weight of the filter loss; 0: without it. For planted events its gain
            was not beyond chance.
        share_weight: parts: weight of -log p, where p is the share of the parts.
        events: parts: CSV table of known events (path, time, duration, low_hz, high_hz, kind) of
            the training recordings, from which filters get names.
        top: parts: inputs kept for each filter.
        shown: parts: number of filters on the page, in order of weight.
        steps: Number of updates; 0: as many as passes allows for cgan with teacher shapley, 1500
            for cgan with another teacher, 400 for parts.
        batch_size: Inputs per update; 0: 8 for cgan, 32 for parts.
        learning_rate: Learning rate (Adam).
        look_every: Updates between evaluations on held-out inputs.
        precision: cgan, teacher occlusion, grad-cam: precision of the networks in training,
            bfloat16 or float32. A CPU without fast instructions for bfloat16 computes in float32,
            and the record says so.
        checkpoint_every: Updates between checkpoints for resume.
        seed: Seed of all random draws.
        workers: Workers that compute features (and the maps of cgan) before the training: a number
            of processes; auto: one per core if there are many; or the address of a Dask scheduler,
            tcp://HOST:PORT or tls://HOST:PORT. The training itself is divided by torchrun.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        format: Format of the trained network's file: pt or safetensors.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Explainer: A trained explainer, for `attribute`'s argument `explainer`; `result` has its
        figures.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> explainer = train_explainer("sample_data", network, examples=2, held_out=2, shuffled=0,
        ...                             steps=1, occlusion_grid=2)
        >>> explainer.result.path.name
        'explainer.pt'
    """

def select(
    explanations: PathName,
    *,
    corpus: PathName | Sequence[PathName] = (),
    responses: PathName = "",
    classifier: Network = "",
    trust_pickle: bool = False,
    trust_features: bool = False,
    guide: PathName | Sequence[PathName] = (),
    top: int = 0,
    by: str = "",
    encoder: PathName = "descriptors",
    judge: PathName | Sequence[PathName] = (),
    controls: bool = True,
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    cache: str = "",
    skip_bad_files: bool = False,
    hop_frames: int = 10,
    overlapping: bool = False,
    gan: PathName = "",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Selection:
    """Rank the settings by distance to the real excerpts that drive the unit: OUT/selection.json.

    Args:
        explanations: Path of explanations.npz, or run directory of `explain` or `attribute`.
        corpus: Corpus whose training split contains the real excerpts; a sequence for several.
        responses: Path of responses.npz, or its directory, from an earlier run; replaces corpus.
        classifier: Current path of classifier.pt; empty: the path when it was explained. A factory
            must be named again, because it runs code.
        trust_pickle: Load a pickled network that was explained. This runs any code that the file
            contains.
        trust_features: Compute the input of the network by the function that the file of its input
            names as features. This runs its code.
        guide: Current path of the guide of a surrogate search; a sequence for several, in their
            order. A guide that runs code must be named again. Empty: the paths when they were used.
        top: Number of real excerpts to compare with; 0: the number of examples.
        by: Score to rank by: composite (default: mean rank by fid-response and nearest real), fid-
            response (the paper's), fid-features, kid, kad, wasserstein, sliced-wasserstein or
            prediction (of validation excerpts, as in `validate`); for `attribute` a measure such as
            faithfulness (default), deletion or truth_area.
        encoder: Encoder of by prediction: descriptors, classifier.pt or MODEL@INPUT.toml.
        judge: Independent network to judge the examples, classifier.pt or MODEL@INPUT.toml; a
            sequence for several.
        controls: Score controls: no search, no GAN, and a classifier with shuffled weights.
        seed: Seed of the bootstrap and of the controls.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        hop_frames: Frames between the starts of successive real excerpts.
        overlapping: Try an excerpt at every frame and keep overlapping ones, as the authors do.
        gan: Current path of gan.pt; empty: the path when it was used.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Selection: Settings by rank, or the attributions of `attribute` by rank. In a notebook it
        shows itself.

        Attributes of it:
            result: The content of `selection.json`, one for each unit; an `AttributionRanking`
                of attributions.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> ranking = select(found, responses=real, controls=False)  # of `explain` and `responses`
        >>> len(ranking.units[0].scores)
        2
    """

def validate(
    explanations: PathName,
    selection: PathName,
    corpus: PathName | Sequence[PathName],
    *,
    split: str = "test",
    encoder: PathName | Sequence[PathName] = ("descriptors",),
    responses: PathName = "",
    hop_frames: int = 10,
    classifier: Network = "",
    trust_pickle: bool = False,
    trust_features: bool = False,
    seed: int = 0,
    device: str = "auto",
    cache: str = "",
    skip_bad_files: bool = False,
    out: PathName | None = None,
    overwrite: bool = False,
    progress: bool | ProgressCallback = False,
) -> Validated:
    """Test what can be predicted with the chosen examples: OUT/prediction.json.

    The test asks which of two new excerpts excites the unit more. The answer is the one that an
    encoder finds more similar to the examples. For comparison, real excerpts, another unit's
    examples and other controls answer too.

    Args:
        explanations: Path of explanations.npz, or run directory of `explain`.
        selection: Path of selection.json, or run directory of `select`.
        corpus: Corpus with the excerpts to predict; a sequence for several.
        split: Split of these excerpts. It should be new to everything: classifier, GAN and
            selection use train and valid.
        encoder: Encoder that compares excerpts with examples: descriptors (spectrum and modulation,
            without a network), or an independent network, classifier.pt or MODEL@INPUT.toml; a
            sequence for several.
        responses: Path of responses.npz, or its directory; empty: the directory of the selection.
        hop_frames: Frames between the starts of successive excerpts.
        classifier: Current path of classifier.pt; empty: the path when it was explained. A factory
            must be named again, because it runs code.
        trust_pickle: Load a pickled network that was explained. This runs any code that the file
            contains.
        trust_features: Compute the input of the network by the function that the file of its input
            names as features. This runs its code.
        seed: Seed of the pairs and of the bootstrap.
        device: Device: auto, cpu, cuda or cuda:N.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Validated: What can be predicted with the examples; `result` has the shares of each unit.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> tested = validate(found, ranking, "sample_data", hop_frames=2)
        >>> tested.result.units[0].layer
        'fc9'
    """

def attribute(
    inputs: PathName | Sequence[PathName],
    network: Network,
    *,
    method: str | Sequence[str] = ("lime",),
    target: str = "predicted",
    score: str = "probability",
    outputs: str = "auto",
    segments: str | Sequence[str] = (),
    fill: str | Sequence[str] = ("mean",),
    samples: int = 2000,
    distance: str = "cosine",
    width: float = 0.25,
    ridge: float = 1.0,
    founders: int = 65,
    population: int = 10,
    generations: int = 5,
    patience: int = 10,
    parsimony: float = 0.1,
    cam_layer: str = "",
    explainer: PathName | Sequence[PathName] = (),
    checks: bool = False,
    truth: PathName = "",
    corpus: PathName | Sequence[PathName] = (),
    batch_size: int = 32,
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Attribution:
    """Explain single predictions by the parts of the input that matter: OUT/attribution.npz.

    With several inputs, methods, segments or fills, each combination has its own folder.
    OUT/report.html shows and plays the results; `ganexplain select OUT` ranks them.

    Args:
        inputs: Recordings (FILE@SECONDS: the excerpt centred at that time; FILE: all excerpts in
            sequence), pictures, or folders of pictures.
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory).
        method: Attribution method: occlusion, lime, lime-forest, elime, grad-cam, counterfactual,
            captum:NAME, random, or, with explainer, cgan or parts; a sequence for several.
        target: Class to explain, `predicted`, or a unit as LAYER:UNIT (see `explain`).
        score: Quantity to attribute for a class: probability, logit or margin.
        outputs: Type of the outputs of network: logits, probabilities, activations (units that are
            not classes), or auto (detected from the values).
        segments: Segments: 6x4 (columns x rows: times x bands), sound:6x4 (the same, cut at onsets
            and into bands of equal level), temporal:10, spectral:8, slic:50, felzenszwalb,
            quickshift, file:LABELS.npy, sources:STEMS, sources:STEMS:5 (in 5 spans); a sequence for
            several. Default: 6x4 for log-mel, slic for pictures (4x4 for small ones), temporal for
            waveforms.
        fill: Values that replace a removed segment: mean, zero, training-mean, silence, min, data-
            min, segment-mean, noise or blur; a sequence for several.
        samples: LIME, lime-forest: number of random subsets (all subsets if there are fewer).
        distance: LIME, lime-forest: distance to the full input, cosine or l2.
        width: LIME, lime-forest: width of the distance kernel.
        ridge: LIME: ridge penalty of the regression.
        founders: E-LIME: subsets in the first generation, a balanced design.
        population: E-LIME: subsets in each later generation.
        generations: E-LIME: maximum number of generations.
        patience: E-LIME: generations without gain after which the search stops.
        parsimony: E-LIME: cost in score of keeping all segments; 0: no cost.
        cam_layer: Grad-CAM: layer to read; empty: the last convolution over several places.
        explainer: Path of an explainer.pt, required by cgan and parts; a sequence for several.
        checks: Repeat each attribution with other seeds, perturbed inputs and shuffled weights.
        truth: Ground truth: a .lab file or vocal stem for sound, a mask for pictures; or a folder
            of these, matched by name.
        corpus: Corpus whose training split defines fill data-min; a sequence for several.
        batch_size: Inputs per pass of the network.
        seed: Seed of all random draws.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Attribution: The parts of inputs that matter for a decision. In a notebook it shows and
        plays them.

        Attributes of it:
            result: The measures of each input and configuration, the table and the page.

        Shape of it:
            For one input and configuration: `map` and `segments` have the shape of the input's
            plane (F, T), `weights` and `kept` are (n,) for n segments. Of several, `maps` has them
            all.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> why = attribute("sample_data/audio/gig_lea_soul.ogg@2.65", network, method="occlusion")
        >>> why.map.shape, why.weights.shape
        ((80, 115), (24,))
    """

def write_report(
    explanations: PathName,
    selection: PathName,
    *,
    responses: PathName = "",
    validation: PathName = "",
    examples: int = 6,
    heard: int = 2,
    export: str = "",
    griffin_lim_iterations: int = 100,
    seed: int = 0,
    workers: str | int = 1,
    scheduler_file: str = "",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: bool | ProgressCallback = False,
) -> Page:
    """Show and play the chosen setting beside real excerpts, controls and the other settings.

    Writes OUT/report.html; for a run of several units, one page per unit and OUT/index.html.

    Args:
        explanations: Path of explanations.npz, or run directory of `explain`.
        selection: Path of selection.json, or run directory of `select`.
        responses: Path of responses.npz, or its directory; empty: the directory of the selection.
        validation: Path of prediction.json, or run directory of `validate`, to show what can be
            predicted with the examples; empty: not shown.
        examples: Number of examples shown for each setting.
        heard: Number of these that have sound when a cell of the grid is selected.
        export: Directory for files of what the page shows: sounds (WAV), pictures (PNG), numbers
            (CSV) and a README; with several units, a folder for each. Empty: none.
        griffin_lim_iterations: Number of iterations of the phase reconstruction (Griffin-Lim).
        seed: Seed of the initial phases.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        executor: Executor of concurrent.futures, Dask or another that does the work.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Page: A page to open in a browser; `result` is its path. In a notebook it shows itself.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> page = write_report(found, ranking, examples=1, heard=0, griffin_lim_iterations=1)
        >>> page.result.name
        'report.html'
    """

def describe_input(
    source: PathName,
    example: PathName,
    *,
    features: PathName = "",
    sample_rate: int = 0,
    seconds: float = 0.0,
    out: PathName | None = None,
    overwrite: bool = False,
    progress: bool | ProgressCallback = False,
) -> Described:
    """Describe the input of a network of your own, and check it on a recording: OUT, for input.

    The features of the example are computed twice: from the description, and by the extractor of
    the package transformers, your function or your array. The largest difference, the RMS
    difference, the correlation and the keys to change are reported. If only a function or an array
    is given, a search finds the keys; if none fit, nothing is written and the exit status is 1.

    Args:
        source: Source of the description: a folder of Hugging Face (preprocessor_config.json), a
            convention (librosa, kaldi, panns, ...), a TOML file for input, module:function that
            computes features from (samples) or (samples, rate), or an array of features (FILE.npy).
        example: Recording or picture with which the input is checked.
        features: Features of the example with which a described input is compared: FILE.npy or
            module:function; empty: those of the extractor in the folder.
        sample_rate: Rate in Hz of the samples that a function gets, or of those from which an array
            was computed; 0: found by search.
        seconds: Length of one input (s); 0: as in the source, or the longest that the shipped GAN
            covers.
        out: TOML file to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Described: The description of an input, which can be passed as `input`; `result` has its
        keys.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> described = describe_input("librosa", "sample_data/audio/gig_lea_soul.ogg")
        >>> described.result.input["sample_rate"]
        22050
    """

def rerun(
    run: PathName,
    *,
    out: PathName | None = None,
    overwrite: bool = False,
    progress: bool | ProgressCallback = False,
) -> Rerun:
    """Repeat a run from its directory, and report whether the results are the same.

    The inputs must be unchanged. The exit status is 1 if a file differs; each such file is reported
    with the key that differs, and by how much.

    Args:
        run: Run directory of any stage.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        Rerun: A run and its repetition; `result.equal` says whether they are the same.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> again = rerun(page.out)  # of `write_report`
        >>> again.result.equal
        True
    """

def label_stems(
    stems: str,
    *,
    threshold_db: float = -40.0,
    join_gaps: float = 0.35,
    shortest: float = 0.1,
    valid_share: float = 0.15,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool | ProgressCallback = False,
) -> File:
    """Label singing by the level of the vocal stem: a CSV manifest beside the tracks.

    Reads folders that contain `mixture` and `vocals` as sound files, inside `train` and `test` if
    these exist. Prints the path of STEMS/manifest.csv, a corpus for the other commands.

    Args:
        stems: Folder of the tracks.
        threshold_db: Level, relative to the loudest, below which there are no vocals (dB).
        join_gaps: Maximum length of a pause that counts as singing (s).
        shortest: Minimum length of a sound that counts as singing (s).
        valid_share: Share of the training tracks used for validation.
        seed: Seed of the choice of validation tracks.
        overwrite: Replace the output of an earlier run.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        File: A run whose result is one file.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> manifest = label_stems("musdb18hq")  # doctest: +SKIP
        >>> train_classifier(manifest)  # doctest: +SKIP
    """

def run(
    corpus: PathName | Sequence[PathName],
    network: Network | None = None,
    unit: str | Sequence[str] = "output",
    *,
    minutes: float = 0.0,
    direction: str = "max",
    search: str = "adaptive",
    iterations: int = 400,
    examples: int = 24,
    judge: PathName | Sequence[PathName] = (),
    encoder: PathName | Sequence[PathName] = (),
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    weights: PathName = "",
    input: Given = None,
    backend: str = "torch",
    trust_pickle: bool = False,
    trust_features: bool = False,
    cache: str = "",
    skip_bad_files: bool = False,
    hop_frames: int = 10,
    overlapping: bool = False,
    gan: PathName = "",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | ProgressCallback = False,
) -> WholeRun:
    """Go from recordings to a page (OUT/report), by stages that you can also run one by one.

    Without classifier or network it first trains a classifier on the recordings (`preset quick`);
    if they have no labels, it explains the shipped one. Then it finds the real excerpts that drive
    a unit, searches for generated ones, selects, tests and reports. Each stage has its own run
    directory: OUT/train-classifier, OUT/train-gan, OUT/responses, OUT/explain, OUT/select,
    OUT/validate and OUT/report. Finished stages are kept for resume.

    Args:
        corpus: Recordings: any folder of sound files, a folder in the Jamendo layout (audio,
            labels, filelists), a CSV manifest, or a folder of pictures (CLASS/NAME.png).
        network: Network to explain: a torch module (which is copied), a function from arrays (B,
            ...) to arrays, or the path of a classifier.pt or of another network (file, folder or
            factory). None: the shipped classifier, or one that is trained.
        unit: Unit: LAYER:UNIT, a layer for its first unit, or a class; a sequence for several.
            Unit: its number (for a convolution, the channel), 0,3,8-11 for several, or all; 17@max
            or 17@12,30 (a place), a class, classA-classB, or FILE.npy (a direction).
        minutes: Time for training the GAN further on these recordings (min); 0: no further
            training. A new GAN of pictures is trained for 10 min if this is 0.
        direction: Direction: max, min or both (maximise or minimise the activation).
        search: Search: adaptive (guided by the real excerpts), grid (all settings), evolution or
            elites (as in `explain`).
        iterations: Largest number of iterations of a search.
        examples: Number of examples for each setting; a verdict needs 24.
        judge: Independent network to judge the examples, classifier.pt or MODEL@INPUT.toml; a
            sequence for several. Default: two shipped ones where the shipped classifier is
            explained.
        encoder: Encoder that compares new excerpts with the examples, as in `validate`; a sequence
            for several. Default: descriptors and, for the shipped classifier, a shipped network.
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        weights: Weights of a network made by a factory: FILE.safetensors, a checkpoint, or
            CHECKPOINT:PLACE for a table or prefix in it.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.
        backend: Library that runs a FILE.onnx: torch (with hidden layers and gradients) or
            onnxruntime (a black box).
        trust_pickle: Load a pickled network. This runs any code that the file contains.
        trust_features: Compute the network's input by the function that input names as features.
            This runs its code.
        cache: Directory of the feature cache; empty: the user's cache directory.
        skip_bad_files: Skip files that cannot be used, and list them.
        hop_frames: Frames between the starts of successive real excerpts.
        overlapping: Try an excerpt at every frame and keep overlapping ones, as the authors do.
        gan: Path of gan.pt; empty: the shipped GAN, or for pictures a new one.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        WholeRun: A page and the stages before it. In a notebook it shows the page.

        Attributes of it:
            result: The page; of `demo` with `next_commands` to try.
            responses: The real excerpts that drive the unit most and least.
            explanation: The examples of the search.
            selection: The settings by rank.
            page: The page.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> whole = run("sample_data", network, out="runs/python")  # doctest: +SKIP
        >>> whole.explanation.inputs.shape  # doctest: +SKIP
        (31, 24, 80, 115)
    """

def demo(
    *,
    workers: str | int = 1,
    scheduler_file: str = "",
    device: str = "auto",
    out: PathName | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | ProgressCallback = False,
) -> WholeRun:
    """Explain the shipped singing-voice detector with the recordings that the package carries.

    Writes OUT/report/report.html, by the stages of `run` with its settings.

    Args:
        workers: Workers: a number of processes; auto: one per core if the run is long enough; or
            the address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.
        scheduler_file: File that a Dask scheduler writes with its address, in place of that.
        device: Device: auto, cpu, cuda or cuda:N.
        out: Run directory to write; None: a temporary one.
        overwrite: Replace the output of an earlier run.
        resume: Continue an earlier run in `out`; if there is none, start one.
        progress: True: progress as of the command; or a function, which is called with what is
            done, of how much, and a value such as the loss (NaN without one).

    Returns:
        WholeRun: A page and the stages before it. In a notebook it shows the page.

        Attributes of it:
            result: The page; of `demo` with `next_commands` to try.
            responses: The real excerpts that drive the unit most and least.
            explanation: The examples of the search.
            selection: The settings by rank.
            page: The page.

    Raises:
        UsageError: A setting or an input cannot be used.
        GanexplainError: The command fails; the message names the file and the remedy.

    Example:
        >>> demo(out="runs/demo").page.result  # doctest: +SKIP
        PosixPath('runs/demo/report/report.html')
    """
