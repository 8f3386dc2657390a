"""The keys of a recipe as frozen pydantic models: names, types, bounds and defaults.

Does: define every key. Does not: read files (loading.py), or know what a stage does with a key.
Defaults are the paper's where the paper gives a number (section in the comment); `recipes/*.yaml` explain them again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DataPath:
    """Marks a string key as a path or glob whose *content* enters fingerprints instead of its name."""


class Unhashed:
    """Marks a key that cannot change a result (speed, disk use); it stays out of fingerprints."""


Data = Annotated[str, DataPath()]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
SplitName = Annotated[str, Field(pattern=r"^(published|document-disjoint|fold-[0-9]{1,2}-of-[0-9]{1,2})$")]
Workers = Annotated[int, Field(ge=0), Unhashed()]  # processes; 0 = all cores


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Source(Section):
    """One source of raw documents."""

    name: str
    path: Data  # file, folder or glob
    format: Literal["jsonl", "parquet", "csv", "text", "oscar", "wiki40b", "wikipedia"] = "jsonl"
    # by suffix .zst/.gz; oscar = 22.01/23.01 and the hub's form; wiki40b/wikipedia = their Parquet files
    text_field: str = "text"
    id_field: str | None = "id"
    licence: str | None = None  # None: each row's own `licence` field is required
    kind: Literal["general", "medical"] = "general"
    max_documents: Positive | None = None  # the first N documents, for trials


class Filters(Section):
    """Rules that drop a document; every threshold with the reason code it produces (section 2.1)."""

    min_characters: Count = 50  # too_short
    max_characters: Positive = 2_000_000  # too_long
    min_japanese_share: Share = 0.4  # not_japanese: kana + kanji among all characters without white space
    min_kana_share: Share = 0.05  # not_japanese: kana among the Japanese characters (Chinese text has none)
    max_symbol_share: Share = 0.25  # symbols
    max_digit_share: Share = 0.3  # digits
    max_duplicate_line_share: Share = 0.3  # repetition: characters in lines that occurred before
    max_duplicate_sentence_share: Share = 0.3  # repetition: the same for sentences
    max_short_line_share: Share = 0.7  # list_page: lines of fewer than 12 characters without a full stop
    max_advertisement_words: Count = 4  # advertisement: occurrences for each 1,000 characters
    max_adult_words: Count = 2  # adult: occurrences in the document
    drop_truncated: bool = True  # truncated: the last line ends in the middle of a sentence


class NearDuplicates(Section):
    """MinHash on punctuation-stripped character n-grams; a document near an earlier one is dropped."""

    enabled: bool = True
    ngram: Positive = 5
    bands: Positive = 14
    rows: Positive = 8  # 14 x 8: half of the pairs at Jaccard .72 are found


class Privacy(Section):
    """Personal data and web notations that are deleted (section 2.2.1), and two beyond the paper."""

    telephone: bool = True
    mail: bool = True
    url: bool = True
    account: bool = True  # @name
    tag: bool = True  # #tag
    postal_code: bool = False  # 〒123-4567
    patient_number: bool = False  # 「患者番号12345678」, 12-digit My Number-like


class Decontamination(Section):
    """A document that holds a benchmark's test item is dropped and reported."""

    enabled: bool = True
    ngram: Positive = 20  # characters, after normalisation and without punctuation
    min_matches: Positive = 1  # n-grams of one item that a document must share
    min_share: Share = 0.2  # and this share of the item's n-grams, or 40 of them: less is a stock phrase
    shared_documents: Count = 20  # an n-gram found in more test items than this is boiler-plate and is ignored


class CorpusSection(Section):
    """Raw sources to a clean corpus."""

    sources: tuple[Source, ...] = Field(min_length=1)
    privacy: Privacy = Privacy()
    filters: Filters = Filters()
    near_duplicates: NearDuplicates = NearDuplicates()
    decontamination: Decontamination = Decontamination()
    workers: Workers = 0
    shard_mebibytes: Positive = 256


class TermList(Section):
    """One list of names."""

    path: Data
    kind: Literal["disease", "drug"] = "disease"
    format: Literal["auto", "igakulm", "manbyo", "manbyo_mini", "headerless", "drug_price"] = "auto"
    source: str
    licence: str


class LexiconSection(Section):
    """Disease and drug names for the tokenizer's dictionary and for synthetic text."""

    lists: tuple[TermList, ...] = ()
    min_characters: Positive = 2
    max_characters: Positive = 40


class TokenizerSection(Section):
    """MeCab pre-split Unigram (sections 2.2.2, 2.2.3)."""

    vocabulary_size: int = Field(default=32_768, ge=512, le=262_144)
    runtime: Literal["plain", "mecab"] = "plain"  # mecab = split at run time too, as the paper does
    user_dictionary: bool = True  # section 2.2.2: words from the lexicon
    user_dictionary_min_characters: Positive = 3
    user_dictionary_cost: int = 5000
    drugs_in_dictionary: bool = True
    merge_function_words: bool = True  # pieces may span particles and auxiliaries (ではない); the paper: false
    medical_weight: float = Field(default=3.0, gt=0)  # counts of words of medical documents are multiplied
    source_weights: dict[str, Annotated[float, Field(gt=0)]] = {}  # by source name; the medical weight comes on top
    name_pseudo_count: Count = 10  # each name counts as if seen so often
    character_coverage: float = Field(default=0.9999, gt=0.9, le=1.0)
    split_digits: bool = True
    required_characters: str = (  # always in the vocabulary: units, signs, Greek, letters of eponyms, variant kanji
        "µμ°℃℉Å±≤≥≠≒×÷√∞‰→←↑↓⇔♂♀†‡§¶※○●◎△▲□■◇◆☆★【】〈〉"
        "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλνξοπρστυφχψωéèëêáàâäåíïóôöøúüçñ"
        "囊頰剝塡𠮟瘦嚙搔摑蟬醬麴繡軀顚瘙痤"
    )
    required_kanji: Literal["none", "jis-1", "jis-2"] = "none"  # kana and JIS X 0208 kanji of level 1, or 1 and 2
    max_corpus_mebibytes: Positive = 2048
    seed: int | None = None
    workers: Workers = 0


class PackSection(Section):
    """Documents to rows of token ids (section 2.4.1)."""

    sequence_length: Positive = 2048
    method: Literal["best_fit", "concatenate"] = "best_fit"  # concatenate = the paper's
    restart_positions: bool = True  # positions and attention restart at document borders
    validation_share: float = Field(default=0.01, ge=0.0, lt=0.5)
    medical_repeats: Positive = 1  # times each medical document stands in the training rows
    max_tokens: Positive | None = None  # medical documents first, then general ones in a seeded order
    seed: int | None = None
    workers: Workers = 0


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
    from_folder: Data | None = None  # start from a local Hugging Face folder instead of new weights


class TrainSection(Section):
    """The one training loop, for pretraining (section 2.4.1) and for tuning (2.4.2)."""

    steps: Positive = 24_000
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
    checkpoint_every: Annotated[Positive, Unhashed()] = 3200
    keep_last: Annotated[Positive, Unhashed()] = 2
    log_every: Annotated[Positive, Unhashed()] = 1
    validate_every: Positive = 500
    spike_factor: float = Field(
        default=0.0, ge=0
    )  # stop when the loss exceeds this times its running mean; 0 = only NaN
    seed: int | None = None


class FinetuneSection(TrainSection):
    """Tuning adds the rows, the chat tokens and NEFTune."""

    steps: Positive = 890
    global_batch: Positive = 256
    learning_rate: float = Field(default=1e-4, gt=0)
    warmup_steps: Count = 50
    weight_decay: float = Field(default=0.01, ge=0)
    neftune_alpha: float = Field(default=5.0, ge=0)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    max_length: Positive = 2048  # tokens of one row; longer rows are reported and left out
    split: SplitName = "published"  # which training rows; evaluation then takes the test items of the same split


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
    kind: Literal["exam", "entities", "classification", "similarity"]
    train: Data | None = None
    test: Data


class BenchmarksSection(Section):
    """Test items for evaluation and decontamination, training rows for tuning."""

    jmed: Jmed | None = None
    igakuqa: Igakuqa | None = None
    rows: tuple[RowTask, ...] = ()


class EvaluateSection(Section):
    """How models are asked, and what stands beside them."""

    models: tuple[Literal["base", "tuned"], ...] = ("base", "tuned")
    baselines: tuple[Literal["chance", "always-a", "majority", "nearest", "ngram", "dictionary"], ...] = (
        "chance",
        "always-a",
        "majority",
        "nearest",
        "ngram",
        "dictionary",
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


class ExportSection(Section):
    """What the bundle holds besides the Hugging Face folder."""

    gguf: tuple[Literal["f32", "bf16", "q8_0"], ...] = ("q8_0",)
    name: str = "igakulm"


class SynthSection(Section):
    """Synthetic textbooks from an OpenAI-compatible server (section 2.1.2)."""

    endpoint: str | None = None  # e.g. http://127.0.0.1:8080/v1
    model: str = ""
    licence: str = ""  # terms of the writer's outputs; travels with every text
    terms: Count = 0  # how many lexicon terms; 0 = no synthetic text
    concurrency: Positive = 4
    max_tokens: Positive = 700
    temperature: float = Field(default=0.7, ge=0)
    seed: int | None = None


class Recipe(Section):
    """A whole run. Stages read only their own sections, so that a fingerprint covers exactly what changes a result."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    seed: int = 0
    runs_folder: str = "runs"  # relative to the working folder; the run stands in runs_folder/name
    corpus: CorpusSection
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
