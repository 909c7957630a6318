"""The words of the dashboard, in Vietnamese and English."""

from collections.abc import Mapping

from orchestrator.core.language import Language

DASHBOARD_EN: Mapping[str, str] = {
    "nowhere": "No such page", "nowhere_help": "The dashboard has no page at this address. It has these:",
    "overview": "Overview", "budgets": "Budgets", "providers": "Providers", "requests": "Requests",
    "report": "Savings and advice", "config": "Configuration", "pages": "Pages", "skip": "To the content",
    "no_script": "This page needs JavaScript: it asks for new data again and again.",
    "key": "Key of the server", "open": "Open", "leave": "Forget the key", "loading": "Loading …",
    "key_help": "A key with the role 'read'; with 'operate' too it shows every tenant. "
    "It stays in this tab and is gone when the tab is closed.",
    "lost": "The server does not answer; what is shown is of", "whose": "Tenant", "everybody": "Every tenant",
    "in_flight": "Under way", "waiting": "Waiting", "tried": "Requests, last hour", "average": "Average latency",
    "p95": "p95 latency, at least", "errors": "Error rate", "cost_hour": "Cost, last hour",
    "models": "Models", "models_hour": "Models, last hour", "answered": "Requests", "first": "First token",
    "embeddings": "embeddings", "together": "together", "name": "Name", "sends": "Sends", "cost": "Cost", "latency": "Latency",
    "success": "Success", "share": "Share", "process": "The last hour is counted in this process ({process}), "
    "since {since}; of several workers each counts its own, and any of them may answer the next look. Budgets, requests "
    "and the savings are those of the whole ledger.",
    "health": "Providers", "circuit": "Circuit", "closed": "passes", "open_circuit": "open: not asked",
    "half_open": "on trial", "availability": "Availability", "samples": "Samples", "failures": "Latest failures",
    "room_requests": "Room, requests a minute", "room_tokens": "Room, tokens a minute", "last_failure": "Last failure",
    "rests": "Rests", "room_note": "Room is what this process may still send in this minute; "
    "a deployment rests while its provider asks for no more.",
    "time": "Time", "failure": "Failure", "deployment": "Deployment", "deployments": "Deployments",
    "provider": "Provider", "status": "Status", "none": "Nothing yet.", "no_limits": "No limit is set.",
    "scope": "Scope", "window": "Window", "hour": "hour", "day": "day", "week": "week", "month": "month", "spent": "Spent", "held": "Held",
    "limit": "Limit", "used": "Used", "projected": "At this pace", "resets": "Resets", "young": "too early",
    "bar_words": "{used} used, {pace} at this pace",
    "all": "all requests", "search": "Search", "tenant": "Tenant", "use_case": "Use case", "model": "Model",
    "user": "User", "tag": "Tag", "since": "Since", "until": "Until", "order": "Order", "newest": "newest first",
    "dearest": "dearest first", "slowest": "slowest first", "failed": "Only without an answer",
    "degraded": "Only degraded", "why_degraded": "Degraded", "request": "Request", "outcome": "Outcome", "older": "Older ones",
    "no_requests": "No request like this is recorded.", "plan": "Plan", "score": "Score", "bound": "At most",
    "reasons": "Reasons", "left_out": "Left out", "passed_over": "Passed over", "attempts": "Attempts",
    "tokens": "Tokens in / out", "source": "Known from", "content": "Prompt and reply", "corrections": "Corrections",
    "no_content": "Neither prompt nor reply is kept: 'record' in config.yaml says what is.", "feedback": "Feedback",
    "operators": "This page is of every tenant: it needs a key with the role 'operate'.", "cache": "Cache",
    "in_force": "In force since", "file": "File", "notices": "Notices", "values": "Values",
    "refusal": "Last refusal", "refusal_stands": "Refused since {at}: the file has changed and is not in force.",
    "refusal_over": "Refused at {at}; the file was mended since.", "no_refusal": "No change was refused.",
    "succeeded": "succeeded", "refused": "refused", "cancelled": "cancelled", "failed_outcome": "failed",
    "back": "All requests", "user_short": "User", "tags": "Tags", "month_of": "This month",
    "experiments": "Experiments", "experiment": "experiment", "experiments_part": "Of it for experiments",
    "no_experiments": "No experiment is in config.yaml: some are written under 'experiments'.",
    "experiments_note": "* decides. A difference is candidate less live, with the range that holds with 95 % however "
    "often one looks; nothing is said before each side has {least}. Read again once a minute.",
    "never_answered": "The candidate has answered no request on its side.",
    "state": "State", "state_scheduled": "scheduled", "state_running": "running", "state_ended": "ended",
    "state_promoted": "promoted", "state_rolled_back": "rolled back", "verdict": "Verdict", "decides": "Decides",
    "finding_too_few": "too few", "finding_open": "open", "finding_better": "better",
    "finding_not_worse": "not worse", "finding_worse": "worse", "metric": "Metric", "metric_rating": "rating",
    "metric_correction_rate": "corrected", "metric_checks": "checks passed", "metric_cost": "cost of a request",
    "metric_latency": "latency", "metric_judge": "preferred by the judge", "mode": "Mode", "mode_shadow": "shadow", "mode_ab": "A/B",
    "of_requests": "of requests", "of_users": "of users", "candidate": "Candidate", "live_side": "Live",
    "both_sides": "Requests, live / candidate", "shadows_cost": "Shadows cost", "judge_cost": "The judge cost", "difference": "Difference",
    "by_command": "by a person", "by_rule": "by its rule", "to_promote": "To let the candidate answer for all",
    "to_stop": "To ask the candidate no more",
    "unproven": "It is not proven to be as good, so promoting it has to be meant.",
    "worse_anyway": "It is proven worse, so promoting it has to be meant.",
}  # fmt: skip

DASHBOARD_VI: Mapping[str, str] = {
    "nowhere": "Không có trang này", "nowhere_help": "Bảng điều khiển không có trang ở địa chỉ này. Các trang hiện có:",
    "overview": "Tổng quan", "budgets": "Ngân sách", "providers": "Nhà cung cấp", "requests": "Yêu cầu",
    "report": "Tiết kiệm và đề xuất", "config": "Cấu hình", "pages": "Các trang", "skip": "Đến nội dung",
    "no_script": "Trang này cần JavaScript: nó liên tục lấy dữ liệu mới.",
    "key": "Khóa của máy chủ", "open": "Mở", "leave": "Quên khóa", "loading": "Đang tải …",
    "key_help": "Khóa có vai trò 'read'; có thêm 'operate' thì thấy mọi khách thuê. "
    "Khóa chỉ ở trong thẻ này và mất khi đóng thẻ.",
    "lost": "Máy chủ không trả lời; dữ liệu đang hiện là của", "whose": "Khách thuê",
    "everybody": "Mọi khách thuê", "in_flight": "Đang chạy", "waiting": "Đang chờ",
    "tried": "Yêu cầu, giờ qua", "average": "Độ trễ trung bình", "p95": "Độ trễ p95, ít nhất",
    "errors": "Tỷ lệ lỗi", "cost_hour": "Chi phí, giờ qua", "models": "Mô hình",
    "models_hour": "Mô hình, giờ qua", "answered": "Yêu cầu", "first": "Token đầu tiên",
    "embeddings": "vector nhúng", "together": "tổng cộng", "name": "Tên",
    "sends": "Lượt gửi", "cost": "Chi phí", "latency": "Độ trễ", "success": "Thành công", "share": "Tỷ lệ",
    "process": "Giờ qua được đếm trong tiến trình này ({process}), từ {since}; nếu có nhiều tiến trình thì mỗi tiến trình "
    "đếm riêng, và lần xem sau có thể do tiến trình khác trả lời. Ngân sách, yêu cầu và tiết kiệm là của toàn bộ sổ cái.",
    "health": "Nhà cung cấp", "circuit": "Ngắt mạch", "closed": "thông", "open_circuit": "ngắt: không hỏi",
    "half_open": "đang thử", "availability": "Sẵn sàng", "samples": "Số mẫu", "failures": "Lỗi gần nhất",
    "room_requests": "Còn gửi được, yêu cầu/phút", "room_tokens": "Còn gửi được, token/phút",
    "last_failure": "Lỗi cuối", "rests": "Tạm nghỉ", "room_note": "Phần còn gửi được là của tiến trình này trong phút "
    "này; điểm triển khai tạm nghỉ khi nhà cung cấp yêu cầu ngừng gửi.",
    "time": "Thời điểm", "failure": "Lỗi", "deployment": "Điểm triển khai", "deployments": "Các điểm triển khai",
    "provider": "Nhà cung cấp", "status": "Mã", "none": "Chưa có gì.", "no_limits": "Chưa đặt hạn mức nào.",
    "scope": "Phạm vi", "window": "Kỳ", "hour": "giờ", "day": "ngày", "week": "tuần", "month": "tháng", "spent": "Đã chi", "held": "Đang giữ",
    "limit": "Hạn mức", "used": "Đã dùng", "projected": "Theo đà này", "resets": "Đặt lại lúc",
    "bar_words": "đã dùng {used}, theo đà này {pace}",
    "young": "còn quá sớm", "all": "mọi yêu cầu", "search": "Tìm", "tenant": "Khách thuê",
    "use_case": "Mục đích sử dụng", "model": "Mô hình", "user": "Người dùng", "tag": "Nhãn", "since": "Từ",
    "until": "Đến", "order": "Thứ tự", "newest": "mới nhất trước", "dearest": "đắt nhất trước",
    "slowest": "chậm nhất trước", "failed": "Chỉ yêu cầu không có trả lời", "degraded": "Chỉ yêu cầu bị giảm cấp", "why_degraded": "Giảm cấp",
    "request": "Yêu cầu", "outcome": "Kết quả", "older": "Cũ hơn",
    "no_requests": "Không có yêu cầu nào như vậy.", "plan": "Kế hoạch", "score": "Điểm", "bound": "Tối đa",
    "reasons": "Lý do", "left_out": "Bị loại", "passed_over": "Bị bỏ qua", "attempts": "Các lần gửi",
    "tokens": "Token vào / ra", "source": "Biết từ", "content": "Câu hỏi và trả lời", "corrections": "Điều chỉnh",
    "no_content": "Không lưu câu hỏi và trả lời: 'record' trong config.yaml quyết định điều này.",
    "feedback": "Phản hồi", "operators": "Trang này là của mọi khách thuê: cần khóa có vai trò 'operate'.",
    "cache": "Bộ nhớ đệm", "in_force": "Có hiệu lực từ", "file": "Tệp", "notices": "Lưu ý", "values": "Giá trị",
    "refusal": "Lần từ chối gần nhất",
    "refusal_stands": "Bị từ chối từ {at}: tệp đã thay đổi nhưng chưa có hiệu lực.",
    "refusal_over": "Bị từ chối lúc {at}; sau đó tệp đã được sửa.", "no_refusal": "Chưa có thay đổi nào bị từ chối.",
    "succeeded": "thành công", "refused": "bị từ chối", "cancelled": "bị hủy", "failed_outcome": "lỗi",
    "back": "Mọi yêu cầu", "user_short": "Người dùng", "tags": "Nhãn", "month_of": "Tháng này",
    "experiments": "Thử nghiệm", "experiment": "thử nghiệm", "experiments_part": "Trong đó cho thử nghiệm",
    "no_experiments": "config.yaml chưa có thử nghiệm nào: thử nghiệm được viết dưới 'experiments'.",
    "experiments_note": "* quyết định. Chênh lệch là ứng viên trừ bản đang dùng, kèm khoảng đúng với 95 % dù xem bao nhiêu "
    "lần; chưa nói gì khi mỗi bên chưa có đủ {least}. Mỗi phút đọc lại một lần.",
    "never_answered": "Ứng viên chưa trả lời yêu cầu nào bên phía mình.",
    "state": "Trạng thái", "state_scheduled": "chờ bắt đầu", "state_running": "đang chạy", "state_ended": "đã kết thúc",
    "state_promoted": "đã áp dụng", "state_rolled_back": "đã hoàn tác", "verdict": "Kết luận", "decides": "Quyết định theo",
    "finding_too_few": "còn quá ít", "finding_open": "chưa rõ", "finding_better": "tốt hơn",
    "finding_not_worse": "không kém hơn", "finding_worse": "kém hơn", "metric": "Thước đo", "metric_rating": "điểm đánh giá",
    "metric_correction_rate": "bị sửa", "metric_checks": "qua kiểm tra", "metric_cost": "chi phí mỗi yêu cầu",
    "metric_latency": "độ trễ", "metric_judge": "được mô hình chấm chọn", "mode": "Cách thử", "mode_shadow": "hỏi song song", "mode_ab": "A/B",
    "of_requests": "số yêu cầu", "of_users": "số người dùng", "candidate": "Ứng viên", "live_side": "Đang dùng",
    "both_sides": "Yêu cầu, đang dùng / ứng viên", "shadows_cost": "Hỏi song song tốn", "judge_cost": "Mô hình chấm tốn", "difference": "Chênh lệch",
    "by_command": "do người quyết định", "by_rule": "do quy tắc", "to_promote": "Để ứng viên trả lời cho mọi người",
    "to_stop": "Để không hỏi ứng viên nữa",
    "unproven": "Chưa chứng minh được là tốt ngang bằng, nên phải thật sự muốn áp dụng.",
    "worse_anyway": "Đã chứng minh là kém hơn, nên phải thật sự muốn áp dụng.",
}  # fmt: skip


DASHBOARD_WORDS: Mapping[Language, Mapping[str, str]] = {
    Language.EN: DASHBOARD_EN,
    Language.VI: DASHBOARD_VI,
}


def language_for(named: str | None, accepted: str) -> Language:
    """Return the language of a page: the named one, else the first of `Accept-Language` that there is."""
    wishes = [named or "", *(part.partition(";")[0] for part in accepted.split(","))]
    for wish in wishes:
        begins = wish.strip().lower().partition("-")[0]
        if begins in set(Language):
            return Language(begins)
    return Language.EN
