"""Makes tokenizers of every part that tokenizer.json can have, and prints what transformers makes of texts with them.

    python test/interop/make_tokenizers.py FOLDER TEXTS

Needs Python 3.11 with test/interop/requirements.txt. TEXTS is a JSON list. For each tokenizer, a folder in FOLDER and a
line of JSON: its name, the ids of all texts, the same cut to 16 ids, and what the ids are decoded to.
"""

import copy
import importlib.util
import io
import json
import sys
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

MADE = Path(__file__).parent.parent / "fixtures" / "make-tokenizers.py"
CUT = 16


def load_makers():
    spec = importlib.util.spec_from_file_location("makers", MADE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKERS = load_makers()


def read(tokenizer):
    MAKERS.add_tokens(tokenizer)
    return json.loads(tokenizer.to_str())


BASES = {name: read(make()) for name, make in MAKERS.MAKERS.items()}
PLAIN = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": MAKERS.BOS, "eos_token": MAKERS.EOS}


def part(component):
    """A component as JSON."""
    carrier = Tokenizer(models.BPE())
    kind = {normalizers.Normalizer: "normalizer", pre_tokenizers.PreTokenizer: "pre_tokenizer"}
    for type_, name in kind.items():
        if isinstance(component, type_):
            setattr(carrier, name, component)
            return json.loads(carrier.to_str())[name]
    carrier.decoder = component
    return json.loads(carrier.to_str())["decoder"]


def vary(base, model=None, added=None, **parts):
    content = copy.deepcopy(BASES[base])
    for name, value in parts.items():
        content[name] = value if value is None or isinstance(value, dict) else part(value)
    content["model"].update(model or {})
    for token in content["added_tokens"]:
        token.update((added or {}).get(token["content"], {}))
    return content


def train_charsmap():
    """The rules of SentencePiece, as its trainer writes them."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(MAKERS.SENTENCES * 4), model_writer=model, vocab_size=180, minloglevel=2
    )
    from sentencepiece import sentencepiece_model_pb2 as format_

    read_model = format_.ModelProto()
    read_model.ParseFromString(model.getvalue())
    return normalizers.Precompiled(read_model.normalizer_spec.precompiled_charsmap)


def add_bytes(content):
    """A vocabulary of a Unigram with a token for each byte."""
    vocab = content["model"]["vocab"] + [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    content["model"].update(vocab=vocab, byte_fallback=True)
    shift_added(content, len(vocab))
    return content


def shift_added(content, size):
    """Added tokens come after the vocabulary."""
    known = {token for token, _ in content["model"]["vocab"]} if isinstance(content["model"]["vocab"], list) else {}
    for token in content["added_tokens"]:
        if token["content"] not in known:
            token["id"], size = size, size + 1
    return content


def word_level():
    words = sorted({word for sentence in MAKERS.SENTENCES for word in sentence.split()})
    vocab = {word: index for index, word in enumerate([MAKERS.BOS, MAKERS.EOS, MAKERS.UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token=MAKERS.UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return read(tokenizer)


def template(*single):
    ids = {MAKERS.BOS: 0, MAKERS.EOS: 1}
    return {
        "type": "TemplateProcessing",
        "single": [
            {"Sequence": {"id": "A", "type_id": 0}} if name == "A" else {"SpecialToken": {"id": name, "type_id": 0}}
            for name in single
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in set(single) - {"A"}},
    }


N, P, D = normalizers, pre_tokenizers, decoders
SPACES = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
PIECES = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
SPLITS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def list_cases():
    yield from ((name, content, PLAIN) for name, content in BASES.items())
    bert = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    normalized = {
        "nfc": N.NFC(),
        "nfd": N.NFD(),
        "nfkc": N.NFKC(),
        "nfkd": N.NFKD(),
        "lowercase": N.Lowercase(),
        "strip-accents": N.Sequence([N.NFD(), N.StripAccents()]),
        "strip-left": N.Strip(True, False),
        "strip-right": N.Strip(False, True),
        "replace": N.Replace("river", "mill"),
        "replace-pattern": N.Replace(MAKERS.Regex(r"\d+|[aeiou]{2}"), "#"),
        "prepend": N.Prepend("x"),
        "nmt": N.Nmt(),
        "precompiled": train_charsmap(),
        "bert-cased": N.BertNormalizer(**{**bert, "lowercase": False}),
        "bert-accents": N.BertNormalizer(**{**bert, "strip_accents": False}),
        "bert-stripped": N.BertNormalizer(**{**bert, "lowercase": False, "strip_accents": True}),
        "bert-plain": N.BertNormalizer(**{**bert, "clean_text": False, "handle_chinese_chars": False}),
    }
    for name, normalizer in normalized.items():
        yield f"normalizer-{name}", vary("gpt2", normalizer=normalizer), PLAIN
    yield "normalizer-bytes", vary("gpt2", normalizer=N.ByteLevel(), pre_tokenizer=None), PLAIN
    split = {
        "whitespace": P.Whitespace(),
        "whitespace-split": P.WhitespaceSplit(),
        "bert": P.BertPreTokenizer(),
        "delimiter": P.CharDelimiterSplit("."),
        "scripts": P.UnicodeScripts(),
        "digits": P.Digits(False),
        "digits-each": P.Digits(True),
        "length": P.FixedLength(5),
        "inverted": P.Split(MAKERS.Regex(r"\w+"), "removed", invert=True),
        **{f"punctuation-{how}": P.Punctuation(how) for how in SPLITS},
        **{f"split-{how}": P.Split(" ", how) for how in SPLITS},
        **{f"pattern-{how}": P.Split(MAKERS.Regex(r"\s+|\d"), how) for how in SPLITS},
    }
    for name, pre_tokenizer in split.items():
        then_bytes = P.Sequence([pre_tokenizer, P.ByteLevel(add_prefix_space=False, use_regex=False)])
        yield f"split-{name}", vary("gpt2", pre_tokenizer=then_bytes), PLAIN
        yield f"words-{name}", vary("lower", pre_tokenizer=pre_tokenizer), PLAIN
    yield "byte-level-prefix", vary("gpt2", pre_tokenizer=P.ByteLevel(add_prefix_space=True)), PLAIN
    yield "byte-level-whole", vary("gpt2", pre_tokenizer=P.ByteLevel(add_prefix_space=False, use_regex=False)), PLAIN
    for scheme in ("first", "always", "never"):
        for whole in (True, False):
            space = P.Metaspace(prepend_scheme=scheme, split=whole)
            decoder = D.Metaspace(prepend_scheme=scheme, split=whole)
            yield f"metaspace-{scheme}-{whole}", vary("t5", pre_tokenizer=space, decoder=decoder), PLAIN
            yield f"metaspace-bpe-{scheme}-{whole}", vary("llama2", normalizer=None, pre_tokenizer=space), PLAIN
    yield "unigram-bytes", add_bytes(vary("unigram-whole")), PLAIN
    yield "unigram-words-bytes", add_bytes(vary("t5", decoder=PIECES)), PLAIN
    yield "bpe-unknown-each", vary("lower-whole", {"fuse_unk": False}), PLAIN
    yield "bpe-unknown-dropped", vary("lower", {"unk_token": None}), PLAIN
    yield "bpe-unknown-fused", vary("lower", {"fuse_unk": True}), PLAIN
    yield "bpe-ignore-merges", vary("gpt4", {"ignore_merges": True}), PLAIN
    yield "bpe-no-bytes", vary("llama2", {"byte_fallback": False}), PLAIN
    yield "bpe-no-bytes-each", vary("llama2", {"byte_fallback": False, "fuse_unk": False}), PLAIN
    yield "word-piece-short", vary("bert", {"max_input_chars_per_word": 6}), PLAIN
    yield "word-piece-decoded", vary("bert", decoder=D.WordPiece()), PLAIN
    yield "word-piece-kept", vary("bert", decoder=D.WordPiece(cleanup=False)), PLAIN
    yield "word-level", word_level(), PLAIN
    yield "llama-spaces", vary("llama2", normalizer=SPACES, decoder=PIECES), PLAIN
    yield "bpe-decoded", vary("lower", decoder=D.BPEDecoder()), PLAIN
    yield "bytes-decoded", vary("gpt4", decoder=D.ByteLevel()), PLAIN
    yield "ctc-decoded", vary("lower", decoder=D.CTC()), PLAIN
    twice = template(MAKERS.BOS, MAKERS.BOS, "A", MAKERS.EOS)
    yield "template-twice", vary("gpt2", post_processor=twice), PLAIN
    yield "template-after", vary("gpt2", post_processor=template("A", MAKERS.EOS)), PLAIN
    yield "template-none", vary("gpt2", post_processor=None), PLAIN
    ends = {"sep": [MAKERS.EOS, 1], "cls": [MAKERS.BOS, 0]}
    yield "bert-processing", vary("bert", post_processor={"type": "BertProcessing", **ends}), PLAIN
    roberta = {"type": "RobertaProcessing", **ends, "trim_offsets": True, "add_prefix_space": False}
    yield "roberta-processing", vary("gpt2", post_processor=roberta), PLAIN
    bytes_ = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    yield "byte-processing", vary("gpt2", post_processor=bytes_), PLAIN
    yield "sequence-processing", vary("gpt2", post_processor={"type": "Sequence", "processors": [bytes_, twice]}), PLAIN
    for flag in ("single_word", "lstrip", "rstrip", "normalized"):
        flags = {token["content"]: {flag: True} for token in BASES["gpt4"]["added_tokens"]}
        yield f"added-{flag}", vary("gpt4", added=flags), PLAIN
        if flag != "normalized":  # Python's own panics then
            yield f"added-lower-{flag}", vary("lower", added=flags), PLAIN
    plain = {token["content"]: {"special": False} for token in BASES["gpt4"]["added_tokens"]}
    yield "added-plain", vary("gpt4", added=plain), PLAIN
    config = {**PLAIN, "add_bos_token": True, "add_eos_token": False}
    yield "config-begins", vary("gpt2", post_processor=template("A", MAKERS.EOS)), config
    yield "config-ends", vary("gpt2"), {**PLAIN, "add_bos_token": False, "add_eos_token": True}
    yield "config-bare", vary("gpt2"), {**PLAIN, "add_bos_token": False}
    token = {"content": "boats", "lstrip": True, "normalized": False, "rstrip": False, "single_word": True, "special": False}
    size = len(BASES["gpt2"]["model"]["vocab"]) + len(BASES["gpt2"]["added_tokens"])
    yield "config-tokens", vary("gpt2"), {**PLAIN, "added_tokens_decoder": {str(size): token}}
    yield "config-roles", vary("gpt2"), {**PLAIN, "pad_token": "<pad>", "mask_token": {"__type": "AddedToken", **token, "content": "mill"}}
    gpt2 = {"tokenizer_class": "GPT2Tokenizer", "bos_token": MAKERS.BOS, "eos_token": MAKERS.EOS, "unk_token": MAKERS.EOS}
    prefixed = vary("gpt2", pre_tokenizer=P.ByteLevel(add_prefix_space=True), decoder=D.ByteLevel())
    yield "gpt2-prefix", vary("gpt2", decoder=D.ByteLevel()), {**gpt2, "add_prefix_space": True}
    yield "gpt2-no-prefix", prefixed, {**gpt2, "add_prefix_space": False}
    yield "gpt2-unstated", prefixed, gpt2


def main():
    folder, texts = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    for name, content, config in list_cases():
        place = folder / name
        place.mkdir(parents=True)
        (place / "tokenizer.json").write_text(json.dumps(content))
        (place / "tokenizer_config.json").write_text(json.dumps(config))
        tokenizer = AutoTokenizer.from_pretrained(place)
        ids = [tokenizer(text)["input_ids"] for text in texts]
        cut = [tokenizer(text, truncation=True, max_length=CUT)["input_ids"] for text in texts]
        decoded = [
            tokenizer.decode(each, skip_special_tokens=True, clean_up_tokenization_spaces=False) for each in ids
        ]
        print(json.dumps({"name": name, "ids": ids, "cut": cut, "decoded": decoded}))


if __name__ == "__main__":
    main()
