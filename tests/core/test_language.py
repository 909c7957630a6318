"""Which texts are Vietnamese: a table of real sentences, and none of its neighbours by letters."""

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import language
from orchestrator.core.language import Language, language_of, reply_language, reply_languages

VIETNAMESE = [
    "Bạn ơi",
    "Xin chào",
    "Cảm ơn",
    "Cám ơn nhé",
    "Chào bạn",
    "hủy",
    "Hủy",
    "chị ạ",
    "Tôi muốn hủy đơn hàng",
    "Đơn hàng của tôi ở đâu?",
    "Đơn DH1001 đâu?",
    "Cửa hàng mở cửa lúc mấy giờ?",
    "Giá bao nhiêu?",
    "Còn hàng không shop",
    "Cho em hỏi giá với",
    "Tìm giúp em",
    "Có ai không?",
    "Hôm nay cửa hàng đóng cửa à?",
    "Khi nào giao?",
    "Tôi tên là Nguyễn Văn Bình",
    "Quý khách hoà nhã, thuý, khoẻ",
    "HỦY ĐƠN HÀNG",
    "Đơn Hàng Của Tôi Ở Đâu?",
    "Check giúp mình order này",
    "Tôi muốn hủy order của shop",
    '{"question": "Đơn hàng của tôi đâu?"}',
    "Tóm tắt văn bản sau bằng tiếng Việt:\n" + "The parcel was handed to the carrier. " * 200,
    "The parcel was handed to the carrier. " * 200 + "\n\nDịch đoạn trên sang tiếng Việt",
    "Chính sách đổi trả áp dụng trong vòng 30 ngày kể từ ngày nhận hàng, với điều kiện sản phẩm còn nguyên tem.",
]
UNMARKED = ["ban oi don hang cua toi dau", "don hang cua toi o dau", "toi muon huy don"]
OTHERS = [
    "",
    "12345 ?!",
    "👍👍",
    "Where is my order?",
    "My name is Nguyễn Văn Bình, where is my order?",
    "Hi Nguyễn",
    "Please call Trần Thị Hương at the Huế office about the café résumé",
    "a naïve façade, a jalapeño and a piñata",
    "We had phở for lunch in Đà Nẵng today",
    "Où est ma commande déjà payée?",
    "Où est ma commande, à propos?",
    "C'est là que nous étions dès l'été",
    "Ça va très bien, merci à tous; toi aussi?",
    "Bâtir un château, côté forêt, plutôt tôt",
    "Onde está o meu pedido? Não recebi a confirmação",
    "Não sei",
    "São três irmãos e a mãe; eles têm pão",
    "Você vê? Lá está o avô",
    "¿Dónde está mi pedido? Mañana, señor",
    "Sí, más tarde tú y él",
    "Unde este comanda mea? Am plătit-o deja și vă mulțumesc",
    "Când vine? În câmp, până mâine, să văd",
    "Siparişim nerede? Değişiklik yapmak istiyorum, kâr ve zarar",
    "Gdje je moja narudžba? Dođite u grad, riđi đak i mlađi",
    "Kada će stići pošiljka? Hvala, đevrek i anđeo",
    "Gdzie jest moje zamówienie? Dziękuję, są już późno",
    "Kde je moje objednávka? Má být už dnes, prý je dům",
    "Kde je moja zásielka? Môj kôň vôbec nespí",
    "Wo ist meine Bestellung? Schöne Grüße aus München",
    "On és la meva comanda? Què ha passat? Això és massa",
    "Kus on minu tellimus? Ma olen väga õnnetu, tõesti, või mitte",
    "Hol van a rendelésem? Két hét óta várok, őszintén szólva túl rég",
    "Dov'è il mio ordine? Perché non è più lì? Già, così è la città",
    "Nǐ hǎo, wǒ de dìngdān zài nǎlǐ?",
    "Wǒ hái méi shōu dào huò, qǐng bāng wǒ chá yí xià",
    "Hvor er min bestilling? Jeg får ikke svar, på grunn av øl",
    "Var är min beställning? Jag vill ha den nu, tack så mycket",
    "Kur ir mans pasūtījums? Paldies",
    "Де моє замовлення? Дякую",
    "你好，我的订单在哪里",
    "注文はどこですか",
    "คำสั่งซื้อของฉันอยู่ที่ไหน",
    "C'est toi le roi",
]


@pytest.mark.parametrize("text", VIETNAMESE)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_vietnamese_is_known_however_its_letters_are_composed(text, form):
    assert language_of(unicodedata.normalize(form, text)) is Language.VI


@pytest.mark.parametrize("text", OTHERS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_no_other_language_is_taken_for_it(text, form):
    assert language_of(unicodedata.normalize(form, text)) is None


@pytest.mark.parametrize("text", UNMARKED)
def test_some_vietnamese_without_its_marks_is_known(text):
    """A guess by common words: `tim giup` has too few of them to be known."""
    assert language_of(text) is Language.VI
    assert language_of("tim giup") is None


def test_a_long_text_costs_no_more_than_its_ends():
    """Ten million characters are judged before a customer would notice."""
    began_s = time.perf_counter()
    assert language_of("Where is my café? " * 600_000) is None
    assert time.perf_counter() - began_s < 0.5


def said(*texts):
    """A conversation in which the user says these, one after the other."""
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (said("Đơn hàng của tôi ở đâu?"), Language.VI),
        (said("o\N{COMBINING HORN}i"), Language.VI),
        (said("don hang cua toi o dau"), Language.VI),
        (said("Where is my order?"), Language.EN),
        (said("Où est ma commande déjà payée?"), Language.EN),
        (said("สินค้า ของ ฉัน อยู่ ที่ไหน"), None),
        (said("Где мой заказ сейчас?"), None),
        (said("我的订单在哪里？"), None),
        (said("Hello, 我想问一下我的订单什么时候到"), None),
        (said("заказ где"), None),
        (said("gia bao nhieu vay shop"), Language.VI),
        (said("cho toi hoi don hang DH1001 dang o dau a"), Language.VI),
        (said("Đơn hàng của tôi ở đâu?", "DH1001"), Language.VI),
        (said("Đơn hàng của tôi ở đâu?", "ok", "DH1001, 2"), Language.VI),
        (said("Chào bạn, cảm ơn", "In English please"), Language.EN),
        (said("DH1001"), Language.EN),
        ([{"role": "system", "content": "Trả lời lịch sự."}, *said("Where is my order?")], Language.EN),
        (said([{"type": "text", "text": "Cảm ơn"}, {"type": "image_url", "image_url": {}}]), Language.VI),
        (said([{"type": "image_url", "image_url": {}}]), Language.EN),
        ([], Language.EN),
    ],
)
def test_a_reply_is_expected_in_the_language_of_the_users_last_telling_words(messages, expected) -> None:
    """An order number or `ok` tells none, so the words before it do."""
    assert reply_language(messages, otherwise=Language.EN) is expected


def test_the_language_that_a_request_names_counts_before_its_words() -> None:
    assert reply_language(said("Where is my order?"), named="vi", otherwise=Language.EN) is Language.VI


def test_words_that_tell_nothing_are_in_the_configured_language() -> None:
    assert reply_language(said("DH1001"), otherwise=Language.VI) is Language.VI
    assert reply_language(said("Где мой заказ сейчас?"), otherwise=Language.VI) is None


@pytest.mark.parametrize("text", [*VIETNAMESE, *OTHERS, "DH1001 2nd m² x½y a_b đơn_hàng ①② ٣ cà·phê"])
def test_words_are_what_is_made_of_letters_alone(text):
    """As one expression that looks around each word says it, in a quarter of its time."""
    assert language._words_of(text) == re.findall(r"(?<!\w)[^\W\d_]+(?!\w)", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is my order?", Language.EN),
        ("Summarize this for the team: sales are up", Language.EN),
        ("hang con khong ban", Language.VI),
        ("where is đơn hàng của tôi", Language.VI),
        ("Où est ma commande, s'il vous plaît ?", None),
        ("Ou est ma commande svp", None),
        ("Donde esta mi pedido por favor", None),
        ("Wo ist meine Bestellung?", None),
        ("Pesanan saya di mana?", None),
        ("Je voudrais savoir quand arrive mon colis", None),
        ("我的订单在哪里？", None),
        ("DH1001", Language.EN),
        ("ok", Language.EN),
    ],
)
def test_a_language_is_evident_by_its_words_and_not_for_want_of_another(text, expected) -> None:
    assert reply_languages(said(text), otherwise=Language.EN).evident is expected


def test_english_is_english_wherever_another_language_is_usual() -> None:
    assert reply_languages(said("Where is my order?"), otherwise=Language.VI).evident is Language.EN
    assert (
        reply_languages(said("Ou est ma commande svp"), named="en", otherwise=Language.VI).evident
        is Language.EN
    )


@given(
    st.lists(
        st.sampled_from(
            ["Đơn hàng", "của", "KHÔNG", "Hà", "não", "the", "x/y.của", "ở-đâu?", "12a", "", "\n"]
        )
        | st.text(alphabet="aăâđeêoơuưhnctg ơớợẽãÀĐ/.1", max_size=12),
        max_size=40,
    )
)
def test_counting_what_blanks_part_is_weighing_word_for_word(pieces) -> None:
    text = unicodedata.normalize("NFC", " ".join(pieces))
    weights = [(language._weight(word.lower()), word) for word in language._words_of(text)]
    without_names = language._weighed((each, 1) for each, word in weights if not language._may_be_name(word))
    every = language._weighed((each, 1) for each, _ in weights)
    expected = without_names.speaks_for or (every.speaks_for and 4 * every.marked > 3 * len(weights))
    assert text.isascii() or language._is_vietnamese(text) is expected
