"""Read a condition: from text to a tree whose comparisons are sound, or an error that says what to write instead.

expression  = conjunction { "or" conjunction }
conjunction = negation { "and" negation }
negation    = "not" negation | "(" expression ")" | test
test        = path "has" "(" expression ")"
            | operand ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) literal
            | operand [ "not" ] "in" "(" literal { "," literal } ")"
            | operand [ "not" ] "between" literal "and" literal
            | operand [ "not" ] ( "like" | "contains" ) text
            | operand "is" ( "present" | "missing" )
operand     = fact | path | "count" "(" path ")"
path        = step { "." step }         step = ( keyword | tag ) [ "[" number "]" ]
"""

from __future__ import annotations

import ipaddress

from isocenter.dicom.dictionary import is_private
from isocenter.routing.rules.errors import InvalidExpression
from isocenter.routing.rules.expression import (
    DEPTH_MAX,
    ITEM_NUMBER_MAX,
    PATH_LENGTH_MAX,
    PATTERN_LENGTH_MAX,
    And,
    Between,
    Comparison,
    Contains,
    Count,
    Expression,
    Fact,
    Has,
    Like,
    Literal,
    Membership,
    Not,
    Operand,
    Operator,
    Or,
    Path,
    PathStep,
    Present,
)
from isocenter.routing.rules.literals import read_literal
from isocenter.routing.rules.tokens import Token, TokenKind, parse_tag, tokenize
from isocenter.routing.rules.types import (
    EXAMPLES,
    LITERALS,
    ORDERED_TYPES,
    RANGE_TYPES,
    TEXT_TYPES,
    ValueType,
    name_of_step,
    nearest_name,
    step_of_keyword,
    type_of,
    type_of_step,
)

_TESTS = '=, !=, <, >, in ("…", "…"), between … and …, like "…", contains "…", is present or is missing'
_RESERVED = frozenset(
    {"and", "or", "not", "in", "is", "like", "contains", "between", "has", "present", "missing", "count", "today"}
)
_LOWEST_GROUP = 0x0008
"""Below it are commands and file meta information, which are no part of a data set."""


def parse_expression(text: str) -> Expression:
    """Return the condition that a text says. Raises InvalidExpression."""
    parser = _Parser(text)
    if parser.token.kind is TokenKind.END:
        raise InvalidExpression('The condition is empty; write one, for example Modality = "CT", or leave it out.')
    expression = parser.expression()
    parser.expect_end()
    return expression


class _Parser:
    """Goes over the tokens once, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """Return the token that is looked at."""
        return self._tokens[self._at]

    def expression(self) -> Expression:
        parts = [self._conjunction()]
        while self._take("or"):
            parts.append(self._conjunction())
        flat = [inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,))]
        return flat[0] if len(flat) == 1 else Or(tuple(flat))

    def expect_end(self) -> None:
        token = self.token
        if token.kind is not TokenKind.END:
            hint = (
                "close it with ) only where a ( stands before it" if token.text == ")" else 'write "and" or "or" before'
            )
            raise self._error(token, f"The condition was complete before {_shown(token)}; {hint}.")

    def _conjunction(self) -> Expression:
        parts = [self._negation()]
        while self._take("and"):
            parts.append(self._negation())
        flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))]
        return flat[0] if len(flat) == 1 else And(tuple(flat))

    def _negation(self) -> Expression:
        opening = self.token
        if self._take("not"):
            self._deeper(opening)
            part = self._negation()
            self._depth -= 1
            return Not(part)
        if self._take("("):
            return self._closed_group(opening)
        return self._test()

    def _closed_group(self, opening: Token) -> Expression:
        self._deeper(opening)
        inner = self.expression()
        if not self._take(")"):
            raise self._error(
                opening, f"The parenthesis that opens here is not closed; ) is missing before {_shown(self.token)}."
            )
        self._depth -= 1
        return inner

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._error(
                token, f"The condition is nested deeper than {DEPTH_MAX} levels; make several rules of it."
            )

    # Tests

    def _test(self) -> Expression:
        start = self.token
        operand = self._operand()
        if self.token.text == "has" and self.token.kind is TokenKind.NAME:
            return self._has(operand, start)
        if self._take("is"):
            return self._presence(operand)
        sign = self.token
        if sign.kind is TokenKind.SIGN and (sign.text in set(Operator) or sign.text == "!="):
            self._at += 1
            return self._comparison(operand, sign)
        is_negated = self._take("not")
        test = self._word_test(operand, start)
        return Not(test) if is_negated else test

    def _word_test(self, operand: Operand, start: Token) -> Expression:
        word = self.token
        if self._take("in"):
            return self._membership(operand)
        if self._take("between"):
            return self._between(operand, word)
        if self._take("like"):
            return Like(operand, self._pattern(operand, word))
        if self._take("contains"):
            text = self._text_for(operand, word)
            if not text:
                raise self._error(word, "Every value contains the empty text; write is present instead.")
            return Contains(operand, text)
        if word.kind is TokenKind.END or word.text in {"and", "or", ")"}:
            raise self._error(start, f"Nothing is asked of {self._source(start)}; write one of {_TESTS} behind it.")
        raise self._error(word, f"{_shown(word)} is no comparison; write one of {_TESTS}.")

    def _has(self, operand: Operand, start: Token) -> Expression:
        word = self.token
        if not isinstance(operand, Path) or type_of(operand) is not ValueType.SEQUENCE:
            raise self._error(
                start, f"{self._source(start)} is no sequence, so it has no items; compare it by {_TESTS}."
            )
        self._at += 1
        opening = self.token
        if not self._take("("):
            raise self._error(
                word, 'Behind "has" stands what one item must fulfil, in parentheses: has (CodeValue = "…").'
            )
        return Has(operand, self._closed_group(opening))

    def _presence(self, operand: Operand) -> Expression:
        is_negated = self._take("not")
        word = self.token
        if self._take("present"):
            return Not(Present(operand)) if is_negated else Present(operand)
        if self._take("missing"):
            return Present(operand) if is_negated else Not(Present(operand))
        raise self._error(word, f'Behind "is" stands present or missing, not {_shown(word)}; for equality write =.')

    def _comparison(self, operand: Operand, sign: Token) -> Expression:
        value_type = type_of(operand)
        is_equality = sign.text in {"=", "!="}
        if not is_equality and value_type not in ORDERED_TYPES | {ValueType.PRIVATE}:
            raise self._error(sign, f"This is {value_type.value}, which has no order; compare it with =, != or in.")
        literal = self._literal(value_type)
        if not is_equality and literal.kind.name == "TEXT":
            raise self._error(
                sign, "Texts have no order; compare them with =, != or in, or write a number without quotes."
            )
        if sign.text == "!=":
            return Not(Comparison(operand, Operator.EQUAL, literal))
        return Comparison(operand, Operator(sign.text), literal)

    def _membership(self, operand: Operand) -> Expression:
        opening = self.token
        if not self._take("("):
            raise self._error(
                opening, f'Behind "in" stands a list in parentheses, not {_shown(opening)}: in ("CT", "MR").'
            )
        literals = [self._literal(type_of(operand))]
        while self._take(","):
            literals.append(self._literal(type_of(operand)))
        if not self._take(")"):
            raise self._error(self.token, f"The list goes on with a comma or ends with ), not {_shown(self.token)}.")
        return Membership(operand, tuple(dict.fromkeys(literals)))

    def _between(self, operand: Operand, word: Token) -> Expression:
        value_type = type_of(operand)
        if value_type not in RANGE_TYPES:
            raise self._error(word, f"This is {value_type.value}, which has no order; compare it with =, != or in.")
        lowest = self._literal(value_type)
        if not self._take("and"):
            raise self._error(self.token, f"Between the two ends of a range stands and, not {_shown(self.token)}.")
        return Between(operand, lowest, self._literal(value_type))

    def _pattern(self, operand: Operand, word: Token) -> str:
        token = self.token
        pattern = self._text_for(operand, word)
        if len(pattern) > PATTERN_LENGTH_MAX:
            raise self._error(token, f"A pattern has {PATTERN_LENGTH_MAX} characters at most.")
        return pattern

    def _text_for(self, operand: Operand, word: Token) -> str:
        value_type = type_of(operand)
        if value_type not in TEXT_TYPES:
            raise self._error(word, f"This is {value_type.value}, not text; compare it with = or in.")
        token = self.token
        if token.kind is not TokenKind.TEXT:
            raise self._error(token, f'Behind "{word.text}" stands a text in quotes, not {_shown(token)}.')
        self._at += 1
        return token.text

    def _literal(self, value_type: ValueType) -> Literal:
        if value_type not in LITERALS:
            raise self._error(self.token, f"This is {value_type.value}; it can be asked only whether it is present.")
        first = self.token
        literal, self._at = read_literal(self._tokens, self._at)
        if literal is None or literal.kind not in LITERALS[value_type]:
            found = _shown(first) if literal is None else f"{literal.kind.value} ({self._source(first)})"
            found += "; texts stand in quotes" if literal is None and first.kind is TokenKind.NAME else ""
            raise self._error(
                first, f"Compared is {value_type.value}, written as {EXAMPLES[value_type]}; found is {found}."
            )
        if value_type is ValueType.ADDRESS and not is_network(str(literal.value)):
            raise self._error(first, f"This is no address or network; write it as {EXAMPLES[value_type]}.")
        return literal

    # Operands

    def _operand(self) -> Operand:
        token = self.token
        if self._take("count"):
            if not self._take("("):
                raise self._error(token, "count stands before an attribute in parentheses: count(ImageType) > 2.")
            path = self._path()
            if not self._take(")"):
                raise self._error(self.token, f"count(…) is closed with ), not {_shown(self.token)}.")
            return Count(path)
        if token.kind is TokenKind.NAME and token.text in set(Fact):
            self._at += 1
            return Fact(token.text)
        return self._path()

    def _path(self) -> Path:
        start = self.token
        steps = [self._step()]
        while self.token.text == "." and self.token.kind is TokenKind.SIGN:
            if type_of_step(steps[-1]) is not ValueType.SEQUENCE:
                raise self._error(self.token, f"{name_of_step(steps[-1])} is no sequence, so nothing lies in it.")
            self._at += 1
            steps.append(self._step())
        if len(steps) > PATH_LENGTH_MAX:
            raise self._error(start, f"A path has {PATH_LENGTH_MAX} steps at most.")
        return Path(tuple(steps))

    def _step(self) -> PathStep:
        token = self.token
        if token.kind is TokenKind.TAG:
            step = self._tag_step(token)
        elif token.kind is TokenKind.NAME and token.text not in _RESERVED:
            step = self._keyword_step(token)
        else:
            raise self._error(
                token, f"Here stands an attribute or a fact such as calling_ae_title, not {_shown(token)}."
            )
        self._at += 1
        return PathStep(step.tag, step.creator, self._number()) if self._take("[") else step

    def _keyword_step(self, token: Token) -> PathStep:
        step = step_of_keyword(token.text)
        if step is None:
            nearest = nearest_name(token.text)
            hint = (
                f"did you mean {nearest}?"
                if nearest
                else "an attribute stands with its keyword, or its tag (0010,0020)."
            )
            raise self._error(token, f"There is no attribute {token.text}; {hint}")
        self._must_be_of_dataset(step.tag, token)
        return step

    def _tag_step(self, token: Token) -> PathStep:
        tag, creator = parse_tag(token.text)
        has_open_block = "x" in token.text.partition(",")[2].lower()[:6]
        if creator is not None and not (is_private(tag) and has_open_block):
            raise self._error(token, 'A private attribute with its creator is written (0009,xx01,"CREATOR").')
        if creator is None and has_open_block:
            raise self._error(token, 'The creator of the private block is missing: (0009,xx01,"CREATOR").')
        self._must_be_of_dataset(tag, token)
        return PathStep(tag, creator)

    def _must_be_of_dataset(self, tag: int, token: Token) -> None:
        if tag >> 16 < _LOWEST_GROUP:
            raise self._error(
                token,
                "Attributes of commands and of file meta information are not asked for here; "
                "transfer_syntax_uid, calling_ae_title and called_ae_title are.",
            )
        if tag >= 0x7FE00000:
            raise self._error(token, "Pixel data and what stands behind it is not looked at; use size.")

    def _number(self) -> int:
        token = self.token
        is_number = (
            token.kind is TokenKind.NUMBER and token.text.isdecimal() and 1 <= int(token.text) <= ITEM_NUMBER_MAX
        )
        if not is_number:
            raise self._error(token, f"In brackets stands the number of a value or item, from 1 to {ITEM_NUMBER_MAX}.")
        self._at += 1
        if not self._take("]"):
            raise self._error(self.token, f"The bracket is closed with ], not {_shown(self.token)}.")
        return int(token.text)

    # Tokens

    def _take(self, text: str) -> bool:
        """Step over a word or sign if it is the next one."""
        token = self.token
        if token.text != text or token.kind not in (TokenKind.NAME, TokenKind.SIGN):
            return False
        self._at += 1
        return True

    def _source(self, start: Token) -> str:
        """Return the text from a token up to the one that is looked at."""
        return self._text[start.start : max(start.end, self._tokens[self._at - 1].end)]

    def _error(self, token: Token, message: str) -> InvalidExpression:
        return InvalidExpression(message, start=token.start, end=token.end)


def _shown(token: Token) -> str:
    if token.kind is TokenKind.END:
        return "the end"
    return f'"{token.text}"' if token.kind is TokenKind.TEXT else token.text


def is_network(text: str) -> bool:
    """Tell whether text is an IP address or a network such as `10.1.0.0/16`."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
