"""A small corpus written for these tests, and tokenizers trained on it once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from igakulm.files import Doc, write_documents, write_json
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import TokenizerSection
from igakulm.synth.lexicon import write_terms
from igakulm.synth.term_lists import Term
from igakulm.tokenizer.build_tokenizer import build_tokenizer
from igakulm.tokenizer.encode import TextEncoder

DISEASES = (
    "急性心筋梗塞",
    "多発性骨髄腫",
    "2型糖尿病",
    "気管支喘息",
    "本態性高血圧症",
    "鉄欠乏性貧血",
    "変形性膝関節症",
)
DRUGS = ("アムロジピンベシル酸塩", "メトホルミン塩酸塩", "プレドニゾロン", "アスピリン腸溶錠100mg")
MEDICAL = (
    "{d}は外来でよくみる病気である。治療には{m}を用いることがある。",
    "患者は{d}の診断で入院し、{m} 5 mgの内服を開始した。\n体温は37.2℃、血圧は128/76mmHgであった。",
    "{m}の副作用として、めまい、発疹、肝機能障害が知られている。{d}の既往に注意する。",
    "退院後は{d}の再発を防ぐため、食事と運動を見直し、{m}を続ける。WBC 6,800/μL、CRP 0.3 mg/dL。",
)
GENERAL = (
    "朝の市場では、{n}番目の店が一番にぎやかだ。魚と野菜の匂いがする。",
    "駅前の図書館は{n}時に開く。雨の日には学生が多く、静かな席はすぐに埋まる。",
    "The bus number {n} goes to the park. 公園では子どもたちが遊んでいる。",
)


def general_documents() -> list[Doc]:
    texts = [line.format(n=n) for n in range(20) for line in GENERAL]
    return [Doc(f"g{i}", text, "town", "CC0-1.0") for i, text in enumerate(texts)]


def medical_documents() -> list[Doc]:
    texts = [line.format(d=disease, m=drug) for disease in DISEASES for drug in DRUGS for line in MEDICAL]
    return [Doc(f"m{i}", text, "ward", "CC0-1.0") for i, text in enumerate(texts)]


def write_corpus(folder: Path, documents: list[Doc]) -> Path:
    write_documents(folder / "documents", documents)
    kinds = {"town": "general", "ward": "medical"}
    write_json(
        folder / "sources.json",
        {
            name: {
                "kind": kind,
                "licences": ["CC0-1.0"],
                "documents": sum(doc.source == name for doc in documents),
                "characters": sum(len(doc.text) for doc in documents if doc.source == name),
            }
            for name, kind in kinds.items()
        },
    )
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), general_documents() + medical_documents())


@pytest.fixture(scope="session")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lexicon")
    terms = [Term(name, "disease") for name in DISEASES] + [Term(name, "drug") for name in DRUGS]
    write_terms(folder / "terms.tsv", terms)
    return folder


SMALL = TokenizerSection(vocabulary_size=600, required_characters="μ℃", workers=1, seed=7)


@pytest.fixture(scope="session")
def build_small(corpus: Path, lexicon: Path) -> Callable[..., Path]:
    """Build a tokenizer into a folder; keywords change keys of the section, `corpus` and `lexicon` the inputs."""

    def build(out: Path, corpus: Path = corpus, lexicon: Path = lexicon, **keys: Any) -> Path:
        out.mkdir(parents=True, exist_ok=True)
        build_tokenizer(SMALL.model_copy(update=keys), corpus, lexicon, out, SilentProgress())
        return out

    return build


@pytest.fixture(scope="session")
def make_corpus() -> Callable[[Path, list[Doc]], Path]:
    return write_corpus


@pytest.fixture(scope="session")
def plain_folder(build_small: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def mecab_folder(build_small: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A space and a comma in the path: both have broken MeCab command lines.
    return build_small(tmp_path_factory.mktemp("with") / "a space, a comma", runtime="mecab")


@pytest.fixture(scope="session")
def plain(plain_folder: Path) -> TextEncoder:
    return TextEncoder.load(plain_folder)


@pytest.fixture(scope="session")
def mecab(mecab_folder: Path) -> TextEncoder:
    return TextEncoder.load(mecab_folder)
