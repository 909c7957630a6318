"""Where a stream broke off: how often are two models' words mixed, and how often is a good rest thrown away?

Answers to questions of a shop are cut behind each of their words. Then a second model answers the question
afresh, in its own words and with twenty beginnings: joined to the first it would be a wrong answer. And it goes
on, in each of the ways that models do: dropped it is asked for in vain. Nothing is sent, and every run counts
the same.

    python -m benchmarks.joins
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.streaming.anchor import anchor_of
from orchestrator.streaming.splice import NotJoinableError, Splice

ANSWERS: tuple[tuple[str, str], ...] = (
    (
        (
            "Chào chị Ánh, đơn hàng DH1001 của chị đã rời kho Thủ Đức lúc chín giờ sáng nay và đang trên xe giao"
            " hàng. Bưu tá sẽ từ từ giao đến trong ngày mai; nếu cần đổi địa chỉ, chị nhắn cho em nhé."
        ),
        "Dạ em chào chị, đơn hàng DH1001 của chị đã rời kho Thủ Đức hôm qua, dự kiến chiều nay sẽ đến nơi ạ.",
    ),
    (
        (
            "Your order DH1001 has left our warehouse and is on its way to you. The courier will call ten minutes"
            " before the delivery. Thank you for your patience, and please tell us if the time does not suit you."
        ),
        (
            "Thank you for your message. Your order DH1001 has left our warehouse this morning and will be with"
            " you by five o'clock."
        ),
    ),
    (
        (
            "Để đổi trả sản phẩm, anh làm theo các bước sau:\n\n1. Mở trang **Đơn hàng của tôi** và chọn đơn cần"
            " đổi.\n2. Bấm **Đổi trả**, ghi lý do và gửi kèm ảnh chụp.\n3. Chờ bưu tá đến nhận trong hai ngày.\n\n"
            "Tiền sẽ được hoàn lại trong năm ngày làm việc kể từ khi chúng tôi nhận được hàng."
        ),
        (
            "1. Mở trang **Đơn hàng của tôi**.\n2. Chọn đơn cần đổi và bấm **Đổi trả**.\n3. Gửi hàng ở bưu cục gần"
            " nhất, tiền sẽ được hoàn lại trong bảy ngày."
        ),
    ),
    (
        (
            "Here is the summary of the week:\n\n- **DH1001** was delivered on Monday, one day late.\n- **DH1002**"
            " is waiting for its payment, and the customer was called twice.\n- **DH1003** came back damaged; the"
            " refund of 450,000 VND is on its way.\n\nI would call the customer of DH1002 once more today."
        ),
        (
            "- **DH1001** was delivered on Monday.\n- **DH1002** is waiting for its payment.\n- **DH1003** came back"
            " and is to be refunded.\n\nA call to the customer of DH1002 is due."
        ),
    ),
    (
        (
            "I am sorry that the lamp came broken. I have asked the warehouse to send you a new one today, and you"
            " need not send the old one back. I am sorry for the trouble, and a voucher is in your account."
        ),
        "I am sorry to hear that. A new lamp is on its way, and you may keep the old one.",
    ),
    (
        (
            "DH1001 | đã giao | 12/6\nDH1002 | đang giao | 14/6\nDH1003 | chờ thanh toán | 15/6\n\nTrong tuần này"
            " không có đơn nào bị trả lại, và tỷ lệ giao đúng hẹn là chín mươi bảy phần trăm."
        ),
        "DH1001 | đã giao | 12/6\nDH1003 | chờ thanh toán | 15/6\n\nCả tuần có hai đơn, một đơn chờ thanh toán.",
    ),
    (
        (
            "Hàng còn trong kho hôm nay:\n\n- áo sơ mi trắng: còn hàng, giao trong ngày, miễn phí vận chuyển toàn"
            " quốc\n- đèn bàn: còn hàng, giao trong ngày, miễn phí vận chuyển toàn quốc\n- giày thể thao: còn hàng,"
            " giao trong ngày, miễn phí vận chuyển toàn quốc\n\nAnh cần thêm gì cứ nhắn cho em."
        ),
        (
            "- đèn bàn: còn hàng, giao trong ngày, miễn phí vận chuyển toàn quốc\n- áo sơ mi trắng: còn hàng, giao"
            " trong ngày, miễn phí vận chuyển toàn quốc"
        ),
    ),
    (
        "您好，您的订单DH1001已经从仓库发出，预计明天下午五点之前送到您手中。如果需要更改地址，请在今天晚上之前联系我们，我们会尽快为您处理。",
        "您好，订单DH1001已经在路上了，明天下午就能送到，请您放心。",
    ),
)
"""Two models' answers to one question each: the first breaks off."""

BEGINNINGS = (
    *("", "I ", "A ", "**", "1. ", "- ", "* ", "# ", "> ", "| ", "DH1001 ", "dh1001: ", "#1001 ", "12/6: "),
    *(
        '"',
        "“",
        "…",
        "Certainly! Here it is:\n\n",
        "Dạ, ",
        "và ",
        "and ",
        "\n\n",
        "😊 ",
        "```\n",
        "iPhone ",
        "{",
    ),
)
"""How an answer may begin; what follows is another model's answer, as it is and in lower case."""

_OPENINGS = (
    *("\n\n", "\n\n---\n\n", "\n\n## Trả lời\n\n", "\n\n**Answer**\n\n", "…\n\nHere is the full answer:\n\n"),
    *(
        ". Sau đây là câu trả lời đầy đủ:\n",
        ". The whole answer once more: ",
        "\n\n---\n\n### Câu trả lời\n> ",
    ),
)
"""How a model begins its whole answer once more behind the words that it was asked to begin with."""
_TAIL_WORDS = 14


@dataclass
class Count:
    """What became of the joins of one kind."""

    joins: int = 0
    joined: int = 0
    mixed: int = 0
    """The reader's text is neither the first answer nor the second one."""


@dataclass
class Joins:
    """What became of all of them."""

    afresh: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """What the reader had, and another answer that was joined to it."""
    going_on: dict[str, Count] = field(default_factory=dict)


def measured(*, step: int = 1) -> Joins:
    """Return what becomes of every `step`-th cut with every second text."""
    joins = Joins()
    for number, (first, _) in enumerate(ANSWERS):
        for delivered in list(_cut(first))[::step]:
            for second in (*_afresh(number), *_astray(delivered, number)):
                _note_afresh(joins, delivered, second)
            for manner, second in _going_on(first, delivered):
                _note_going_on(joins.going_on.setdefault(manner, Count()), first, delivered, second)
    return joins


def main() -> int:
    """Print the figures; return 1 where texts were mixed."""
    joins = measured()
    afresh = joins.afresh
    print("a second answer that begins afresh")
    print(f"  joins tried         {afresh['tried']:7,}")
    print(f"  wrong joins         {len(joins.wrong):7,}  (aim: 0)")
    print(f"  the same words anew {afresh['same']:7,}  (the reader has the second answer, whole)")
    print("a second text that goes on   joins   needless restarts   mixed")
    for manner, count in joins.going_on.items():
        print(f"  {manner:24} {count.joins:7,} {count.joins - count.joined:15,} {count.mixed:11,}")
    return 1 if joins.wrong or any(count.mixed for count in joins.going_on.values()) else 0


def _cut(text: str) -> Iterator[str]:
    """Yield what a reader may have of a text: it ends with a whole word, or anywhere in a script without."""
    spaces = [match.start() for match in re.finditer(r"\s+", text)]
    for at in spaces or range(1, len(text)):
        yield text[:at]


def _afresh(number: int) -> Iterator[str]:
    for answers in (ANSWERS[number], ANSWERS[(number + 1) % len(ANSWERS)]):
        for beginning in BEGINNINGS:
            yield beginning + answers[1]
            yield (beginning + answers[1]).lower()


def _going_on(whole: str, delivered: str) -> Iterator[tuple[str, str]]:
    rest, anchor = whole[len(delivered) :], anchor_of(delivered)
    words = [match.start() for match in re.finditer(r"\S+", delivered)]
    yield "with the anchor", anchor + rest
    yield "from further back", delivered[words[-_TAIL_WORDS:][0] :] + rest
    yield "from the beginning", whole
    yield "with an ellipsis", f"…{anchor}{rest}"
    yield "in quotation marks", f"“{anchor}”{rest}"
    yield "behind a remark", f"Certainly! Here is the rest:\n\n{anchor}{rest}"
    yield "straight on", rest.lstrip()


def _astray(delivered: str, number: int) -> Iterator[str]:
    """Yield what begins with the anchor, and is another answer all the same."""
    anchor = anchor_of(delivered)
    if len(anchor) < len(delivered):
        for more in ("s", "ng", "0", ".5", ",5", "-x", ":30"):
            yield f"{anchor}{more} {ANSWERS[number][1]}"
        for manner in ("{0} {0} {1}", "```\n{0}\n```\n\n{1}", "You broke off at: “{0}”. {1}"):
            yield manner.format(anchor, ANSWERS[number][1])
        if anchor[-1].isalnum():
            yield from (anchor, f"“{anchor}”", f"Here is the rest:\n\n{anchor}")
        for opening in _OPENINGS:
            yield f"{anchor}{opening}{delivered[: len(delivered) // 2]} {ANSWERS[number][1]}"


def _joined(delivered: str, second: str) -> str | None:
    splice = Splice(delivered, anchor=anchor_of(delivered))
    try:
        pieces = [splice.feed(piece) for piece in re.findall(r"\s*\S{1,8}|\s+", second)]
        return delivered + "".join(pieces) + splice.finish()
    except NotJoinableError:
        return None


def _note_afresh(joins: Joins, delivered: str, second: str) -> None:
    joins.afresh["tried"] += 1
    text = _joined(delivered, second)
    if text is None:
        return
    if "".join(text.split()) == "".join(second.split()).removeprefix("…"):
        joins.afresh["same"] += 1
    else:
        joins.wrong.append((delivered, second))


def _note_going_on(count: Count, whole: str, delivered: str, second: str) -> None:
    count.joins += 1
    text = _joined(delivered, second)
    count.joined += text is not None
    count.mixed += text is not None and text != whole


if __name__ == "__main__":
    sys.exit(main())
