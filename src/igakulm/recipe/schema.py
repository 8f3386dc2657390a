"""The keys of a recipe as frozen pydantic models: names, types, bounds and defaults.

Does: define the keys about models, benchmarks and synthetic text, and the recipe as a whole; hand on those about text.
Does not: read files (loading.py), or know what a stage does with a key.
Defaults are the paper's where the paper gives a number (section in the comment); `recipes/*.yaml` explain them again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from igakulm.recipe.keys import Count, Data, DataPath, Form, Positive, Section, Share, SplitName, Unhashed, Workers
from igakulm.recipe.personal_data import PersonalData
from igakulm.recipe.text_sections import (
    CorpusSection,
    Decontamination,
    Filters,
    LexiconSection,
    NearDuplicates,
    PackSection,
    Privacy,
    Quality,
    RepeatedText,
    Slurm,
    Source,
    TermList,
    TokenizerSection,
)

__all__ = [
    "BenchmarksSection", "Chats", "CorpusSection", "Count", "Data", "DataPath", "Decontamination", "EvaluateSection",
    "ExportSection", "Filters", "FinetuneSection", "Igakuqa", "Jmed", "LexiconSection", "ModelSection",
    "NearDuplicates", "PackSection", "PlanSection", "Positive", "Privacy", "Quality", "Recipe", "RepeatedText",
    "ReportSection", "RowTask", "Section", "Share", "Slurm", "Source", "SplitName", "SynthSection", "TermList",
    "TokenizerSection", "TrainSection", "Unhashed", "Workers", "Writer",
]  # fmt: skip


class ModelSection(Section):
    """Decoder of section 2.3; a preset fills the sizes, a given key wins."""

    preset: Literal["paper-1b", "relu2-1b", "small-110m", "tiny"] | None = "paper-1b"
    hidden_size: Positive | None = None
    intermediate_size: Positive | None = None
    layers: Positive | None = None
    heads: Positive | None = None
    key_value_heads: Positive | None = None
    activation: Literal["silu", "relu2"] | None = None
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)  # embedding and residual streams
    scaled_embedding: bool = True
    pad_vocabulary: bool = True  # embedding and head of a multiple of 64 rows; false: exactly the tokenizer's
    from_folder: Data | None = None
    # start from a base instead of new weights: a local Hugging Face folder, the folder of a training stage, a bundle,
    # or a GGUF file (F32, F16, BF16, Q8_0, Q4_K_M …, dequantised)


class TrainSection(Section):
    """The one training loop, for pretraining (section 2.4.1) and for tuning (2.4.2)."""

    steps: Count = 24_000  # pretraining only: 0 = the base of model.from_folder as it is; no corpus is read then
    global_batch: Positive = 1024  # sequences a step
    micro_batch: Positive = 8  # sequences at once on one device
    learning_rate: float = Field(default=1e-3, gt=0)
    min_learning_rate: float = Field(default=0.0, ge=0)
    warmup_steps: Count = 750
    schedule: Literal["cosine", "wsd"] = "cosine"
    decay_share: Share = 0.2  # wsd: share of the steps spent decaying
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0)
    precision: Literal["bf16", "fp32"] = "bf16"
    compile: bool = False
    parallel: Annotated[Literal["ddp", "zero2", "fsdp", "deepspeed"], Unhashed()] = "ddp"  # with several processes
    checkpoint_every: Annotated[Positive, Unhashed()] = 3200
    keep_last: Annotated[Positive, Unhashed()] = 2
    keep_every: Annotated[Count, Unhashed()] = 0  # checkpoints at its multiples are never removed; 0 = none
    # go on from a checkpoint of another number of threads, instruction set or GPU: the bytes are then no other run's
    mixed_arithmetic: Annotated[bool, Unhashed()] = False
    log_every: Annotated[Positive, Unhashed()] = 1
    tensorboard: Annotated[bool, Unhashed()] = False  # the step log for TensorBoard too (extra `tensorboard`)
    validate_every: Positive = 500
    spike_factor: float = Field(
        default=0.0, ge=0
    )  # stop when the loss exceeds this times its running mean; 0 = only NaN
    seed: int | None = None


class Chats(Section):
    """Conversations to tune on: JSON Lines of {"messages": [{"role", "content"}, ...]}, all assistant turns learnt."""

    path: Data  # file, folder or glob
    repeats: Positive = 1  # times each conversation stands in the training rows: the weight of this source
    personal_data: PersonalData | None = None  # replace, kept, or how; unset = nothing is done, and the card says so


class FinetuneSection(TrainSection):
    """Tuning adds the rows, how they are mixed, what is trained, the chat tokens and NEFTune."""

    steps: Positive = 890
    epochs: float | None = Field(default=None, gt=0)  # passes over the rows, in place of `steps`
    global_batch: Positive = 256
    learning_rate: float = Field(default=1e-4, gt=0)
    warmup_steps: Count = 50
    weight_decay: float = Field(default=0.01, ge=0)
    neftune_alpha: float = Field(default=5.0, ge=0)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    max_length: Positive = 2048  # tokens of one row; longer rows are reported and left out
    # How the text of rows is prepared, and from then on all that the model is asked (section 2.2.1): cleaned = as the
    # corpus is, but nothing personal is deleted; width = only width and compatibility forms; raw = as it is.
    preparation: Form | None = None  # null = as the base's text was: cleaned for our own vocabularies, raw for others
    split: SplitName = "published"  # which training rows; evaluation then takes the test items of the same split
    chats: tuple[Chats, ...] = ()  # conversations beside the benchmarks' rows
    validation_share: float = Field(default=0.0, ge=0.0, lt=0.5)  # rows held out for validation, whole documents
    objective: str = "answers"  # what is learnt of a row (training/objectives.py): answers = its answer's tokens
    loss: Literal["token", "row"] = "token"
    # what counts alike in the mean loss: every token (the paper: a list outweighs a letter), or every row
    sampling: Literal["natural", "temperature", "equal"] = "natural"
    # tasks get rows by their sizes, by size ** (1 / sampling_temperature), or all alike
    sampling_temperature: float = Field(default=2.0, ge=1.0)
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    # factor on a task's share of the rows, by its name; 1 where none is given, 0 leaves it out
    class_balance: Share = 0.0  # choices: 1 = all classes of a task count alike in the loss, 0 = as often as they occur
    class_sampling: Share = 0.0  # choices: 1 = classes of a task are drawn equally often, 0 = as often as they occur
    early_stopping: Count = 0
    # validations without a better one (mean over tasks of the mean over rows) after which tuning ends with the best
    # weights; 0 = all steps, last weights. Needs validation_share
    method: Literal["full", "lora"] = "full"  # lora: adapters on all linear maps of the layers, merged in the end
    lora_rank: Positive = 16
    lora_alpha: float = Field(default=32.0, gt=0)  # adapters are multiplied by alpha / rank
    lora_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    freeze_embeddings: bool | None = None  # embedding and head stay as they are; None: with lora yes, with full no

    @property
    def trains_embeddings(self) -> bool:
        """Whether embedding and head are trained."""
        return self.method == "full" if self.freeze_embeddings is None else not self.freeze_embeddings

    @model_validator(mode="after")
    def _check(self) -> FinetuneSection:
        if self.early_stopping and not self.validation_share:
            raise ValueError("early_stopping needs validation rows: set validation_share")
        if self.method == "lora" and self.trains_embeddings:
            raise ValueError("with method lora the embeddings stay as they are: leave freeze_embeddings out")
        return self


class Jmed(Section):
    """JMED-LLM: a folder with the eight test files and `all/` beside them."""

    path: Data
    tasks: tuple[str, ...] = ()  # empty = all eight


class Igakuqa(Section):
    """IgakuQA: the folder `data` with one folder a year."""

    path: Data
    years: tuple[int, ...] = ()
    parts: tuple[Literal["A", "B", "C", "D", "E", "F"], ...] = ()  # empty = all six
    text_only: bool = True


class RowTask(Section):
    """A task in IgakuLM's own JSON Lines form (see CONTRIBUTING.md): train and test rows of one kind."""

    name: str
    kind: Literal["exam", "entities", "classification", "similarity", "free-text", "items"]
    # items: rows as `igakulm task train` writes them
    train: Data | None = None
    test: Data | None = None  # none: the rows are tuned on and nothing is evaluated
    title: str = ""  # what people call it: on the page and in /api/tasks; empty = the words of its question
    by: tuple[str, ...] = ()  # further fields of the rows by which scores are given apart, e.g. ward
    personal_data: PersonalData | None = None  # replace, kept, or how; unset = nothing is done, and the card says so


class BenchmarkSet(Section):
    """A user's copy of a published benchmark; `igakulm evaluate benchmark` lists the names."""

    name: str
    path: Data
    tasks: tuple[str, ...] = ()  # empty = all that are there
    years: tuple[int, ...] = ()  # empty = all
    parts: tuple[str, ...] = ()  # papers of an examination; empty = all
    text_only: bool = True


class BenchmarksSection(Section):
    """Test items for evaluation and decontamination, training rows for tuning."""

    jmed: Jmed | None = None
    igakuqa: Igakuqa | None = None
    sets: tuple[BenchmarkSet, ...] = ()
    rows: tuple[RowTask, ...] = ()


class EvaluateSection(Section):
    """How models are asked, and what stands beside them."""

    models: tuple[Literal["base", "tuned"], ...] = ("base", "tuned")
    baselines: tuple[Literal["chance", "always-a", "majority", "nearest", "ngram", "dictionary", "tagger"], ...] = (
        "chance",
        "always-a",
        "majority",
        "nearest",
        "ngram",
        "dictionary",
        "tagger",
    )
    baseline_splits: tuple[Literal["published", "document-disjoint"], ...] = ("published", "document-disjoint")
    folds: int = Field(default=5, ge=2, le=20)  # grouped k-fold for the baselines of tasks that become too small
    fold_below: Count = 200  # too small: fewer document-disjoint training rows than this; 0 = no k-fold
    answers: tuple[Literal["options", "options-text", "generate"], ...] = ("options",)
    # choice tasks: log-likelihood of the options' letters, of their texts (as it is and per byte), or free text
    prompts: Literal["chat", "published"] = "chat"  # our short format, or the leaderboards' layout
    max_new_tokens: Positive = 128
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto = bf16 on a GPU, fp32 on a CPU
    batch_tokens: Annotated[Positive, Unhashed()] = 16_384
    bootstrap_samples: Positive = 2000
    max_items: Positive | None = None  # the first N items of each task, for trials
    seed: int | None = None


GgufName = Literal["f32", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0"]


class ExportSection(Section):
    """What the bundle holds besides the Hugging Face folder."""

    gguf: tuple[GgufName, ...] = ("q8_0",)  # Q4_K_M is smallest; F32 is exact
    name: str = "igakulm"
    as_llama: bool = False  # adds llama/: a Llama that computes the same, for vLLM (SiLU only; larger)


class PlanSection(Section):
    """What `igakulm plan` reckons with; no stage reads it."""

    gpus: tuple[str, ...] = ("RTX 6000 Ada:4", "A100:8", "H100:1", "H100:8")  # NAME:COUNT; the first is the reference
    unique_tokens: Positive | None = None  # tokens of the corpus; a packed folder that is there counts instead
    yen_per_kwh: float = Field(default=31.0, ge=0)  # reference price of Japanese households; contracts differ
    power_overhead: float = Field(default=1.5, ge=1.0)  # energy of hosts and cooling, as a factor on that of the GPUs


class Writer(Section):
    """One model that writes synthetic text."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")  # in reports, and what the share of terms hangs on
    endpoint: Annotated[str | None, Unhashed()] = None  # e.g. http://127.0.0.1:8080/v1; not hashed: a server may move
    gguf: Data | None = None  # instead of a server: a file that llama.cpp runs here (extra llamacpp)
    model: str = ""  # its name at the server; for a GGUF file the file's name, if empty
    revision: str = ""  # version, commit or date; another one asks anew. For a GGUF file the file's hash is added
    licence: str = ""  # of the outputs, as short as in "Apache-2.0"; travels with every text
    terms: str = ""  # where the terms of use stand, or what they say
    weight: float = Field(default=1.0, ge=0)  # share of the terms beside the other writers; 0 = only verifies
    kinds: tuple[Literal["textbook", "exam"], ...] = ("textbook", "exam")
    max_tokens: Positive | None = None  # None = synth.max_tokens, and synth.exam_max_tokens for exam items
    temperature: float | None = Field(default=None, ge=0)  # None = synth.temperature
    parameters: dict[str, JsonValue] = Field(default_factory=dict)  # more of the request, e.g. {top_p: 0.95}
    structured: bool = True  # ask for exam items by JSON schema; false for servers that refuse `response_format`
    concurrency: Annotated[Positive | None, Unhashed()] = None  # requests at once; None = synth.concurrency
    context_length: Positive = 4096  # of a GGUF file: tokens of question and answer together
    key_variable: Annotated[str, Unhashed()] = "IGAKULM_API_KEY"  # environment variable with the server's key


class SynthSection(Section):
    """Synthetic textbooks and exam items from OpenAI-compatible servers or GGUF files (section 2.1.2); docs/synth.md.

    `endpoint`, `model` and `licence` describe the one writer of a recipe without `writers`.
    """

    endpoint: Annotated[str | None, Unhashed()] = None  # e.g. http://127.0.0.1:8080/v1
    model: str = ""
    licence: str = ""  # terms of the writer's outputs; travels with every text
    writers: tuple[Writer, ...] = ()  # several models (the paper: five), by weight
    allow_licences: tuple[str, ...] = ()  # patterns such as "Apache-*"; a writer of another licence is refused
    terms: Count = 0  # how many lexicon terms get a textbook text; 0 = none
    exams: Count = 0  # how many exam items
    exam_styles: tuple[Literal["physician", "pharmacist"], ...] = ("physician", "pharmacist")
    verifier: str | None = None  # name of the writer that answers each exam item without seeing the key
    drop_disagreements: bool = True  # drop the items for which it chose other options
    concurrency: Annotated[Positive, Unhashed()] = 4  # requests at once, to each writer
    max_tokens: Positive = 700  # of a textbook text
    exam_max_tokens: Positive = 1024  # of an exam item
    temperature: float = Field(default=0.7, ge=0)
    timeout: Annotated[float, Field(gt=0), Unhashed()] = 900.0  # seconds for one answer
    patience: Annotated[float, Field(ge=0), Unhashed()] = 900.0  # seconds that a server may be away once it was met
    answers: Annotated[str | None, Unhashed()] = None  # file of all answers; None: synth-answers.sqlite in the run
    personal_data: PersonalData | None = None  # replace, kept, or how; unset = `corpus.privacy` only
    seed: int | None = None


class ReportSection(Section):
    """The page about the whole run."""

    language: Literal["ja", "en"] = "ja"


class Recipe(Section):
    """A whole run. Stages read only their own sections, so that a fingerprint covers exactly what changes a result."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    seed: int = 0
    runs_folder: str = "runs"  # relative to the working folder; the run stands in runs_folder/name
    corpus: CorpusSection = CorpusSection()
    lexicon: LexiconSection = LexiconSection()
    synth: SynthSection = SynthSection()
    tokenizer: TokenizerSection = TokenizerSection()
    pack: PackSection = PackSection()
    model: ModelSection = ModelSection()
    pretrain: TrainSection = TrainSection()
    finetune: FinetuneSection = FinetuneSection()
    benchmarks: BenchmarksSection = BenchmarksSection()
    evaluate: EvaluateSection = EvaluateSection()
    export: ExportSection = ExportSection()
    report: ReportSection = ReportSection()
    plan: PlanSection = PlanSection()

    @property
    def from_base(self) -> bool:
        """Whether nothing is pretrained: the base of `model.from_folder` and its tokenizer are taken as they are."""
        return self.pretrain.steps == 0

    @model_validator(mode="before")
    @classmethod
    def _spread_base(cls, data: object) -> object:
        """A base that is taken as it is brings its tokenizer."""
        if not isinstance(data, dict):
            return data
        model, pretrain, tokenizer = (data.get(name, {}) for name in ("model", "pretrain", "tokenizer"))
        if not all(isinstance(section, dict) for section in (model, pretrain, tokenizer)):
            return data
        if pretrain.get("steps") != 0 or tokenizer.get("from_folder") is not None:
            return data
        return {**data, "tokenizer": {**tokenizer, "from_folder": model.get("from_folder")}}

    @model_validator(mode="before")
    @classmethod
    def _spread_seed(cls, data: object) -> object:
        """Sections without a seed of their own take the recipe's."""
        if not isinstance(data, dict):
            return data
        seed = data.get("seed", 0)
        spread = dict(data)
        for name, field in cls.model_fields.items():
            section = field.annotation
            if isinstance(section, type) and issubclass(section, Section) and "seed" in section.model_fields:
                value = spread.get(name, {})
                if isinstance(value, dict) and value.get("seed") is None:
                    spread[name] = {**value, "seed": seed}
        return spread
