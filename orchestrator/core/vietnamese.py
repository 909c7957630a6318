"""What is kept and told in English, as a Vietnamese page says it: why a reply is degraded, who was asked.

The ledger keeps such words as one text, in which sentences stand in sentences; so each is looked for wherever
it is. What nobody has translated stands as it is: a name, or the words of who wrote config.yaml.
"""

import re
from collections.abc import Mapping
from functools import cache, partial

from orchestrator.core.failures import FailureKind
from orchestrator.core.language import Language

FAILURES_VI: Mapping[str, str] = {
    "rate_limited": "quá giới hạn tốc độ", "server_error": "lỗi máy chủ", "unavailable": "không phục vụ",
    "unreachable": "không kết nối được", "disconnected": "mất kết nối", "timeout": "quá thời gian",
    "unauthorized": "khóa không được chấp nhận", "no_credit": "hết tiền", "model_not_found": "không có mô hình này",
    "context_overflow": "vượt ngữ cảnh", "output_limit": "vượt giới hạn đầu ra", "content_filtered": "bị lọc nội dung",
    "unsupported": "mô hình không nhận", "bad_request": "yêu cầu sai", "malformed": "trả lời sai dạng",
    "empty": "trả lời trống", "interrupted": "đứt giữa chừng", "endless": "viết mãi không dừng",
    "continuation_refused": "từ chối viết tiếp", "not_joinable": "không nối được", "cancelled": "bị hủy",
    "vetoed": "bị chặn", "not_sent": "chưa gửi", "unknown": "không rõ",
}  # fmt: skip
"""Why a send failed."""

SENTENCES_VI: Mapping[str, str] = {
    # How an answer came about.
    "{a} was passed over": "{a} bị bỏ qua", "{a} did not answer": "{a} không trả lời", "{a} left out: ": "{a} bị loại: ",
    "is not available": "không có sẵn", "answered by the emergency model": "do mô hình dự phòng cuối cùng trả lời",
    "quality {a} is below the floor {b}": "chất lượng {a} dưới mức {b}",
    "{a} broke off after {b} characters": "{a} đứt sau {b} ký tự", "continued by {a}": "{a} viết tiếp",
    "answered afresh by {a}": "{a} trả lời lại từ đầu", "nobody answered: ": "không ai trả lời: ",
    "an answer from {MANY}, because nobody answers now: ": "câu trả lời từ {MANY}, vì hiện không ai trả lời: ",
    "less than a minute ago": "chưa đầy một phút trước", "{a} minute(s) ago": "{a} phút trước",
    "{a} hour(s) ago": "{a} giờ trước", "{a} day(s) ago": "{a} ngày trước",
    "nothing in its answer can be compared": "không có gì trong câu trả lời để so sánh",
    "the answer of {a} passed": "câu trả lời của {a} đạt",
    "no answer passed every check; this is the last": "không câu trả lời nào qua mọi kiểm tra; đây là câu cuối",
    "{MANY} gave the same answer": "{MANY} trả lời giống nhau",
    "no two of {MANY} gave the same answer, so the judge decided": "trong {MANY} không có hai câu trả lời giống nhau, nên "
    "trọng tài quyết định",
    "no two of {MANY} gave the same answer, and the judge gave none that counts": "trong {MANY} không có hai câu trả lời "
    "giống nhau, và trọng tài không cho câu nào dùng được",
    # That nobody answered.
    "no provider could answer just now": "lúc này không nhà cung cấp nào trả lời được",
    "ask again later, not at once": "hãy hỏi lại sau, đừng hỏi ngay",
    "ask again in {a} s, or raise requests_per_min or tokens_per_min under 'providers' in config.yaml if they allow more":
    "hỏi lại sau {a} giây, hoặc nâng requests_per_min hay tokens_per_min dưới 'providers' trong config.yaml nếu họ cho phép",
    "they asked for no more for a while: ask again in {a} s": "họ yêu cầu ngừng gửi một lúc: hỏi lại sau {a} giây",
    "no answer within {a} s": "không có câu trả lời trong {a} giây",
    "no whole answer within {a} s": "không có câu trả lời trọn vẹn trong {a} giây",
    "{a} characters had been delivered, see partial_text": "đã gửi {a} ký tự, xem partial_text",
    "allow more with deadline_s or the retry profile, or ask for less": "tăng deadline_s hoặc trong retry profile, hoặc hỏi "
    "ít hơn",
    "too much at once: {a} requests are under way and ": "quá nhiều cùng lúc: {a} yêu cầu đang chạy và ",
    "{a} requests wait already": "đã có {a} yêu cầu chờ",
    "{a} requests of tenant '{MANY}' wait already": "đã có {a} yêu cầu của tenant '{MANY}' chờ",
    "a slot would be free in {a} s at best, and the deadline is in {b} s": "sớm nhất sau {a} giây mới có chỗ, mà hạn là "
    "{b} giây nữa",
    "no slot was free within {a} s": "không có chỗ trống trong {a} giây",
    "ask again in {a} s, or raise what 'overload' in config.yaml allows": "hỏi lại sau {a} giây, hoặc nâng mức 'overload' "
    "trong config.yaml",
    "no outage but the configuration: a key that never worked was refused, check {MANY}": "không phải sự cố mà do cấu hình: "
    "một khóa chưa từng dùng được bị từ chối, hãy kiểm tra {MANY}",
    "nobody but the local model is there to be asked: 'orchestrator doctor' says whether its server runs, at "
    "local_model.base_url in config.yaml or on board, and has the model": "chỉ còn mô hình cục bộ để hỏi: 'orchestrator "
    "doctor' cho biết máy chủ của nó có chạy không, tại local_model.base_url trong config.yaml hay đi kèm, và có mô hình đó không",
    "no time left to ask anybody; allow more with deadline_s, or ask for less": "không còn thời gian để hỏi ai; tăng "
    "deadline_s, hoặc hỏi ít hơn",
    # Why a deployment was passed over.
    "circuit of the whole provider {a} open": "nhà cung cấp {a} bị ngắt mạch",
    "circuit of its whole provider open after repeated failures": "nhà cung cấp bị ngắt mạch sau nhiều lần lỗi",
    "circuit open after repeated failures": "bị ngắt mạch sau nhiều lần lỗi", "circuit open": "bị ngắt mạch",
    "circuit half-open, a probe is under way": "đang thử lại sau ngắt mạch", "no time left": "không còn thời gian",
    "{a} asked for no more of it for {b} s (rate limit)": "{a} yêu cầu ngừng gửi trong {b} giây (giới hạn tốc độ)",
    "{a} tokens a minute of {b} used up, free in {c} s": "đã hết {a} token mỗi phút của {b}, có lại sau {c} giây",
    "{a} requests a minute of {b} used up, free in {c} s": "đã hết {a} yêu cầu mỗi phút của {b}, có lại sau {c} giây",
    "second attempts on {a} are used up for now": "tạm hết lượt gửi lại cho {a}",
    "over the {a} budget of {MANY}": "vượt ngân sách {a} của {MANY}",
    "was passed over: over a budget": "bị bỏ qua: vượt một ngân sách",
    ", as long as others hold money of it": ", chừng nào yêu cầu khác còn giữ tiền của nó",
    "its context is not larger than one that was too small": "ngữ cảnh không lớn hơn một ngữ cảnh đã quá nhỏ",
    "the content filter of the same model has blocked this request": "bộ lọc nội dung của cùng mô hình đã chặn yêu cầu này",
    "kept for outages, and this is a spent budget": "để dành cho sự cố, mà đây là hết ngân sách",
    "kept for outages, and this is a limit of our own": "để dành cho sự cố, mà đây là giới hạn của chính mình",
    "an older answer in the cache comes before the emergency model": "câu trả lời cũ trong bộ nhớ đệm được ưu tiên hơn mô "
    "hình dự phòng cuối cùng",
    "going on needs about {a} tokens, its context holds {b}": "viết tiếp cần khoảng {a} token, ngữ cảnh chứa {b}",
    "going on would cost more than is left of what one request may": "viết tiếp tốn hơn phần còn lại của một yêu cầu",
    # Why a deployment was left out of a plan.
    "costs more than one request may": "tốn hơn mức của một yêu cầu",
    "another model was asked for by name": "yêu cầu nêu tên mô hình khác", "asked for by name": "được nêu tên",
    "this use case never degrades, and this is the emergency model": "mục đích này không được giảm cấp, mà đây là mô hình "
    "dự phòng cuối cùng",
    "kept for a fuller budget: little is left of the day's": "để dành khi ngân sách còn nhiều: ngân sách ngày còn ít",
    "prompts are to be processed in {MANY}, and its region is not stated": "câu hỏi phải được xử lý ở {MANY}, mà khu vực "
    "không được nêu",
    "prompts are to be processed in {MANY}, and its region is {a}": "câu hỏi phải được xử lý ở {MANY}, mà khu vực là {a}",
    "prompts are not to be learned from, and there they may be": "không được học từ câu hỏi, mà ở đó có thể bị",
    "prompts are not to be learned from, and there they are not stated not to be": "không được học từ câu hỏi, mà ở đó "
    "không nêu là không",
    "prompts are to be kept for {a} days at most, and for how long is not stated": "câu hỏi được giữ nhiều nhất {a} ngày, "
    "mà thời hạn không được nêu",
    "prompts are to be kept for {a} days at most, and there they are for {b} days": "câu hỏi được giữ nhiều nhất {a} ngày, "
    "mà ở đó là {b} ngày",
    "availability {a} is under {b}": "độ sẵn sàng {a} dưới {b}",
    "the reply is to be in a language that is not known here, and ": "câu trả lời phải bằng một ngôn ngữ chưa biết, mà ",
    "the reply is to be in {a}, and ": "câu trả lời phải bằng {a}, mà ",
    "it lists {MANY} alone": "nó chỉ nêu {MANY}",
    "the emergency model writes {MANY} alone": "mô hình dự phòng cuối cùng chỉ viết {MANY}",
    "cannot: {MANY}": "không làm được: {MANY}",
    "needs about {a} tokens, its context holds {b}": "cần khoảng {a} token, ngữ cảnh chứa {b}",
    "switched off by its vendor on {a}": "bị hãng ngừng từ {a}",
    "in reserve: ": "dự bị: ", "stands behind the first {a} (routing.max_candidates)": "đứng sau {a} vị trí đầu "
    "(routing.max_candidates)",
    "its use case would rather be refused than take another model (on_limit)": "mục đích này thà bị từ chối còn hơn dùng mô "
    "hình khác (on_limit)",
    "below the quality floor {a} of the use case": "dưới mức chất lượng {a} của mục đích",
    "not in the route; used when the route is exhausted": "ngoài tuyến; dùng khi tuyến đã hết", "OpenRouter's hosts: ":
    "máy chủ của OpenRouter: ",
    "max_tokens lowered from {a} to {b} to fit the limit of a request": "max_tokens giảm từ {a} xuống {b} để vừa hạn mức của "
    "một yêu cầu",
    # What the caller of a drill got.
    "the whole answer": "trọn câu trả lời", ", degraded: ": ", giảm cấp: ", "an apology: ": "lời xin lỗi: ",
    "an apology, though somebody could have answered: ": "lời xin lỗi, dù có nơi trả lời được: ",
    "the local model's answer, degraded: ": "câu trả lời của mô hình đi kèm, giảm cấp: ", "it ended after its deadline": "kết thúc quá hạn",
    "an answer, where an error is the right end": "một câu trả lời, trong khi đúng ra phải là lỗi",
    "an answer that is not whole: {a} of {b} characters": "câu trả lời không trọn: {a} trong {b} ký tự",
    "an error of another library: {a}": "lỗi của một thư viện khác: {a}",
    # Notices of config.yaml.
    "provider {a} is off: ": "nhà cung cấp {a} đang tắt: ", "it has no key; set {MANY}": "chưa có khóa; hãy đặt {MANY}",
    "'enabled: false' in config.yaml": "'enabled: false' trong config.yaml",
    "'local_model.enabled: false' in config.yaml": "'local_model.enabled: false' trong config.yaml",
    "the model on board makes no embeddings; set local_model.base_url to a server that does": "mô hình đi kèm không tạo "
    "vector nhúng; đặt local_model.base_url là một máy chủ làm được",
    "no source knows the price of {a}: it is booked at prices.assumed_maximum, {b} and {c} per million tokens of input and "
    "output": "không nguồn nào biết giá của {a}: nó được tính theo prices.assumed_maximum, {b} và {c} cho một triệu token đầu "
    "vào và đầu ra",
    "{a} is asked in a region of OpenAI's ({b}), where '{MANY}' says {c} and {d} per million tokens, and its 'price' is "
    "lower: state what you pay there, or leave 'price' out": "{a} được hỏi ở một khu vực của OpenAI ({b}), nơi '{MANY}' nêu "
    "{c} và {d} cho một triệu token, mà 'price' thấp hơn: hãy ghi giá phải trả ở đó, hoặc bỏ 'price'",
    "the limit of {MANY} per {a}, {b}, is above that per {c}, {d}, which ends it first: is a digit too many in "
    "budgets.limits?": "hạn mức của {MANY} cho một {a}, {b}, cao hơn hạn mức cho một {c}, {d}, vốn hết trước: có thừa một "
    "chữ số trong budgets.limits không?",
    "use case '{a}' never asks {b}, which its route names: ": "mục đích '{a}' không bao giờ hỏi {b}, dù tuyến có nêu: ",
    "OpenRouter's price list is left out: ": "bảng giá của OpenRouter không được dùng: ",
    "OpenRouter's price list is {a} days old: 'orchestrator prices refresh' renews it": "bảng giá của OpenRouter đã cũ {a} "
    "ngày: 'orchestrator prices refresh' làm mới",
    "model {a} was switched off by its vendor on {b}; replace it in config.yaml": "mô hình {a} đã bị hãng ngừng từ {b}; hãy "
    "thay trong config.yaml",
    "model {a} is switched off by its vendor on {b}, today; replace it in config.yaml": "mô hình {a} bị hãng ngừng từ {b}, "
    "hôm nay; hãy thay trong config.yaml",
    "model {a} is switched off by its vendor on {b}, in {c} day(s); replace it in config.yaml": "mô hình {a} bị hãng ngừng từ "
    "{b}, còn {c} ngày; hãy thay trong config.yaml",
}  # fmt: skip
"""By the English sentence: `{a}` is one word, `{MANY}` several, `(s)` the end of `day` or of `days`."""


_WINDOWS = {
    "request": "yêu cầu", "hour": "giờ", "day": "ngày", "week": "tuần", "month": "tháng", "run": "lượt chạy",
}  # fmt: skip
_WORD = r"[^\s;()]*[^\s;(),:]"


def in_language(text: str, language: Language) -> str:
    """Return a text of ours in a language; what of it nobody has translated stays."""
    if language is not Language.VI:
        return text
    for pattern, words in _patterns():
        text = pattern.sub(partial(_filled, words), text)
    return _FAILED.sub(lambda match: f"{match[1]}{FAILURES_VI[match[2]]}", text)


def _filled(words: str, match: re.Match[str]) -> str:
    return words.format(**{name: _WINDOWS.get(part, part) for name, part in match.groupdict().items()})


def _pattern(sentence: str) -> re.Pattern[str]:
    many = {"(s)": "s?", "{MANY}": r"(?P<MANY>[^;]+?)"}
    written = "".join(
        many.get(part) or (f"(?P<{part[1:-1]}>{_WORD})" if part.startswith("{") else re.escape(part))
        for part in re.split(r"(\{\w+\}|\(s\))", sentence)
    )
    # Several words are bounded by the sentences around them.
    begins = r"(?:^|(?<=[;:] ))" if sentence.startswith("{MANY}") else ""
    ends = r"(?=;|\)|, as long as|$)" if sentence.endswith("{MANY}") else ""
    return re.compile(begins + written + ends)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the sentences as patterns, the longest first: made with the first page that wants them."""
    longest_first = sorted(SENTENCES_VI.items(), key=lambda item: -len(item[0]))
    return tuple((_pattern(sentence), words) for sentence, words in longest_first)


_FAILED = re.compile(
    rf"((?:^|(?<=[;:] )|(?<=\())\S+:? )({'|'.join(kind.value for kind in FailureKind)})(?=[;)]|$)"
)
"""A kind of failure behind who failed: in no other place is it a word of ours."""
