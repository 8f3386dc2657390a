"""The keys of a recipe about text: sources, corpus, lexicon, tokenizer, packing.

Does: define these keys. Does not: define those about models, benchmarks and synthetic text (schema.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from igakulm.recipe.keys import Count, Data, Positive, Section, Share, Unhashed, Workers
from igakulm.recipe.personal_data import PersonalData


class Filters(Section):
    """Rules that drop a document; every threshold with the reason code it produces (section 2.1)."""

    min_characters: Count = 50  # too_short
    max_characters: Positive = 2_000_000  # too_long
    max_broken_characters: Count = 0  # broken_characters: U+FFFD whose neighbours do not say what stood there
    drop_warnings: tuple[str, ...] = ("adult", "noisy")  # oscar_warning: any of these among OSCAR's warnings
    drop_categories: tuple[str, ...] = ("adult",)  # oscar_category: any of these among OSCAR's categories
    min_harmful_perplexity: float | None = None  # oscar_harmful: OSCAR's harmful_pp below this (e.g. 25); null = off
    min_language_probability: Share | None = None  # oscar_language: OSCAR's language identification; null = off
    min_japanese_share: Share = 0.4  # not_japanese: kana + kanji among all characters without white space
    min_kana_share: Share = 0.05  # not_japanese: kana among the Japanese characters (Chinese text has none)
    max_symbol_share: Share = 0.25  # symbols
    max_digit_share: Share = 0.3  # digits
    max_duplicate_line_share: Share = 0.3  # repetition: characters in lines that occurred before
    max_duplicate_sentence_share: Share = 0.3  # repetition: the same for sentences
    max_duplicate_ngram_share: Share = 0.8  # repetition: 10-character n-grams that occurred before; laws reach 0.75
    max_short_line_share: Share = 0.7  # list_page: lines of fewer than 12 characters without a full stop
    max_advertisement_words: Count = 4  # advertisement: occurrences for each 1,000 characters
    max_adult_words: Count = 2  # adult: occurrences in the document
    drop_truncated: bool = True  # truncated: the last line ends in the middle of a sentence


class Source(Section):
    """One source of raw documents."""

    name: str
    path: Data  # file, folder or glob
    format: Literal[
        "jsonl", "parquet", "csv", "text", "pdf", "docx", "oscar", "wiki40b", "wikipedia", "mediawiki", "html", "warc"
    ] = "jsonl"
    # .zst/.gz/.bz2 by suffix; oscar = 22.01/23.01 and the hub's form; wiki40b/wikipedia = their Parquet files;
    # mediawiki = a raw pages-articles.xml.bz2; html = saved pages; warc = what `igakulm corpus crawl` writes;
    # pdf = the text layer, a file a document; docx = Word documents, the same
    text_field: str = "text"
    id_field: str | None = "id"
    licence: str | None = None  # None: each row's own `licence` field is required
    kind: Literal["general", "medical", "records"] = "general"  # records = a hospital's notes, docs/corpus-sources.md
    personal_data: PersonalData | None = None
    # replace, kept, or how (keys of docs/personal-data.md); unset = `corpus.privacy`, which is for public text only
    strip_menus: bool | None = None  # menus at head and foot of a page are taken out; unset = of oscar alone
    filters: Filters | None = None  # keys that differ from corpus.filters for this source; records have their own
    max_documents: Positive | None = None  # the first N documents, for trials

    @model_validator(mode="after")
    def _records_say_what_becomes_of_personal_data(self) -> Source:
        if self.kind == "records" and self.personal_data is None:
            raise ValueError("a source of records needs `personal_data: replace`, or `personal_data: kept` on purpose")
        return self


class NearDuplicates(Section):
    """MinHash on punctuation-stripped character n-grams; a document near an earlier one is dropped."""

    enabled: bool = True
    ngram: Positive = 5
    bands: Positive = 20
    rows: Positive = 8  # 20 x 8: of the pairs at Jaccard .66 half are found, at .75 (3 % edited) nine of ten


class RepeatedText(Section):
    """Lines that the pages of one site share, and sentences that an earlier document has, are taken out of a document.

    Lengths count letters and digits only. A document left with fewer than `filters.min_characters` is dropped
    (reason boilerplate).
    """

    boilerplate: bool = True
    boilerplate_documents: Positive = 5  # a line that so many documents of one site have ...
    boilerplate_share: Share = 0.1  # ... and this share of the site's documents, is taken out of all of them
    boilerplate_min_characters: Positive = 8  # shorter lines stay
    source_as_site: bool = False  # a document without a url: its source counts as its site
    sentences: bool = True  # within a document and across documents; the earliest keeps the sentence
    sentence_min_characters: Positive = 30  # shorter sentences and lines stay
    sentence_run: Positive = 3  # so many repeated sentences in a row, or a whole line; fewer stay where they are


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
    training_rows: bool = False  # the rows for tuning too: true for the splits fold-I-of-K, where they are test items
    ngram: Positive = 20  # characters, after normalisation and without punctuation
    min_matches: Positive = 1  # n-grams of one item that a document must share
    min_share: Share = 0.2  # and this share of the item's n-grams, or 40 of them: less is a stock phrase
    short_items: bool = True  # texts of 10 letters to two n-grams are also looked for as a whole
    shared_documents: Count = 20  # an n-gram found in more test items than this is boiler-plate and is ignored


class Slurm(Section):
    """How `executor: slurm` asks a cluster for work; every key goes into the script as it stands."""

    partition: str | None = None  # None = the cluster's default
    account: str | None = None
    time: str = "24:00:00"
    memory: str = "4G"  # of one task, which is one process
    tasks_at_once: Positive = 100
    setup: str = ""  # shell lines before the work, such as `module load python` or `source venv/bin/activate`


class Quality(Section):
    """A model's labels for a sample, a classifier on embeddings for all (section 2.2.1, OSCAR); docs/quality.md."""

    enabled: bool = False
    sources: tuple[str, ...] = ()  # names of the sources that are judged (the paper: OSCAR); empty = all
    sample: Positive = 100_000  # documents that the instruct model labels
    max_characters: Positive = 2000  # of a document that the models see: its beginning, up to the end of a sentence
    endpoint: str | None = None  # server of the instruct model, e.g. http://127.0.0.1:8080/v1; None: `gguf` labels
    model: str = ""  # its name there
    gguf: Data | None = None  # a GGUF file that llama.cpp runs here (extra llamacpp), for labels and embeddings
    structured: bool = True  # ask for JSON by schema; false for servers that refuse `response_format`
    temperature: float = Field(default=0.0, ge=0)  # of the first answer; a retry takes 0.7 if that is more
    attempts: Positive = 3  # answers asked for until one is valid; then the document is counted as invalid
    repeat: Count = 200  # labelled documents that are asked again with the criteria in reverse order
    min_education: Annotated[int, Field(ge=1, le=5)] = 3  # good: at least this educational value,
    min_coherence: Annotated[int, Field(ge=1, le=5)] = 3  # at least this coherence
    max_harm: Annotated[int, Field(ge=1, le=5)] = 2  # and at most this harm
    classifier: Literal["forest", "ngram"] = "forest"  # forest = the paper's; ngram = characters only, no embeddings
    embeddings: Literal["transformers", "endpoint", "gguf"] = "transformers"  # last layer, last token
    embedding_folder: Data | None = None  # transformers: a local folder of the same model (safetensors)
    embedding_endpoint: str | None = None  # endpoint: a server with /embeddings and pooling of the last token
    embedding_model: str = ""  # endpoint: its name there
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # transformers; auto = bf16 on a GPU, fp32 on a CPU
    trees: Positive = 300
    folds: int = Field(default=5, ge=2, le=20)  # of the cross-validation
    min_precision: Share | None = None  # threshold with this cross-validated precision; None: 0.5, the trees' majority
    keep_share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None  # or the threshold that keeps this share
    answers: Annotated[str | None, Unhashed()] = None  # file that keeps the model's answers for later recipes as well
    concurrency: Annotated[Positive, Unhashed()] = 4  # requests at once
    batch_tokens: Annotated[Positive, Unhashed()] = 16_384  # transformers: tokens at once
    workers: Workers = 0  # to train the forest
    seed: int = 0

    @model_validator(mode="after")
    def _one_threshold(self) -> Quality:
        if self.min_precision is not None and self.keep_share is not None:
            raise ValueError("give min_precision or keep_share, not both")
        return self


class CorpusSection(Section):
    """Raw sources to a clean corpus."""

    sources: tuple[Source, ...] = ()  # at least one, unless pretrain.steps is 0
    privacy: Privacy = Privacy()
    filters: Filters = Filters()
    near_duplicates: NearDuplicates = NearDuplicates()
    repeated: RepeatedText = RepeatedText()
    decontamination: Decontamination = Decontamination()
    quality: Quality = Quality()
    workers: Workers = 0
    executor: Annotated[Literal["local", "ray", "slurm"], Unhashed()] = "local"  # who runs the parts of the sources
    slurm: Annotated[Slurm, Unhashed()] = Slurm()
    shard_mebibytes: Positive = 256


class TermList(Section):
    """One list of names."""

    path: Data
    kind: Literal["disease", "drug"] = "disease"
    format: Literal["auto", "igakulm", "manbyo", "manbyo_mini", "headerless", "drug_price"] = "auto"
    source: str
    licence: str
    generics: bool = True  # drug price lists: false leaves generic products out


class LexiconSection(Section):
    """Disease and drug names for the tokenizer's dictionary and for synthetic text."""

    lists: tuple[TermList, ...] = ()
    min_characters: Positive = 2
    max_characters: Positive = 40
    kinds: tuple[Literal["disease", "drug"], ...] = ()  # empty = both
    min_confidence: Literal["S", "A", "B", "C", "D", "E", "F"] | None = None  # Manbyo's level, S best; None = all
    min_frequency: float | None = Field(default=None, ge=0)  # in the list's unit: a count, 95 of 95-100%, 高 = 3
    max_terms: Positive | None = None  # of each kind: the most confident ones, and of these the most frequent


class TokenizerSection(Section):
    """MeCab pre-split Unigram (sections 2.2.2, 2.2.3), or the tokenizer of an open model."""

    from_folder: Data | None = None  # adopt this Hugging Face folder's tokenizer.json; all other keys are then unused
    vocabulary_size: int = Field(default=32_768, ge=512, le=262_144)
    runtime: Literal["plain", "mecab"] = "plain"  # mecab = split at run time too, as the paper does
    user_dictionary: bool = True  # section 2.2.2: words from the lexicon
    user_dictionary_min_characters: Positive = 3
    user_dictionary_cost: int = 5000
    drugs_in_dictionary: bool = True
    merge_function_words: bool = True  # pieces may span particles and auxiliaries (ではない); the paper: false
    medical_weight: float = Field(default=3.0, gt=0)  # counts of words of medical documents are multiplied
    # by source name; the medical weight comes on top
    source_weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    name_pseudo_count: Count = 10  # each name counts as if seen so often
    character_coverage: float = Field(default=0.9999, gt=0.9, le=1.0)
    split_digits: bool = True
    required_characters: str = (  # always in the vocabulary: units, signs, Greek, letters of eponyms, variant kanji
        "µμ°℃℉Å±≤≥≠≒×÷√∞‰→←↑↓⇔♂♀†‡§¶※○●◎△▲□■◇◆☆★【】〈〉"
        "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλνξοπρστυφχψωéèëêáàâäåíïóôöøúüçñ"
        "嚢頬剥填𠮟痩噛掻掴蝉醤麹繍躯顛瘙痤"
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
