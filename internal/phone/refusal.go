package phone

import (
	"context"
	"errors"

	"hotline/telephony"
)

// Codes of the hub's own refusals. The Desk has more of its own.
const (
	codeUnsupported = "unsupported"
	codeBadRequest  = "bad_request"
	codeForbidden   = "forbidden"
	codeBusy        = "busy"
	codeInternal    = "internal"
	codeTimeout     = "timeout"
	codeOwned       = "owned"
	codeNotOwner    = "not_owner"
	codeNoShift     = "no_shift"
	codeNoCodec     = "no_codec"
	codeStaleEpoch  = "stale_epoch"
)

// texts of the codes, Russian and English.
var texts = map[string][2]string{
	codeUnsupported: {"Сервер не знает такой команды. Обновите страницу.", "The server does not know this command. Reload the page."},
	codeBadRequest:  {"Запрос составлен неверно. Обновите страницу.", "The request is malformed. Reload the page."},
	codeForbidden:   {"У вас нет права на это действие.", "You are not allowed to do this."},
	codeBusy:        {"Слишком много запросов сразу. Повторите через секунду.", "Too many requests at once. Try again in a second."},
	codeInternal:    {"Внутренняя ошибка сервера. Повторите; если не поможет, сообщите администратору.", "Internal server error. Try again; if that does not help, tell the administrator."},
	codeTimeout:     {"Сервер не успел ответить. Повторите.", "The server did not answer in time. Try again."},
	codeOwned:       {"Звук открыт в другой вкладке или на другом компьютере. Перенести сюда?", "The sound is in another tab or on another computer. Move it here?"},
	codeNotOwner:    {"Звук открыт в другой вкладке.", "The sound is in another tab."},
	codeNoShift:     {"Сначала начните смену.", "Start your shift first."},
	codeNoCodec:     {"Браузер не предлагает кодек G.711 (PCMA или PCMU).", "The browser does not offer the G.711 codec (PCMA or PCMU)."},
	codeStaleEpoch:  {"Соединение уже заменено новым.", "The connection has been replaced by a newer one."},
	"stopped":       {"Сервер останавливается. Страница подключится сама.", "The server is stopping. The page will reconnect."},
	"bad_sdp":       {"Браузер прислал непригодное описание соединения.", "The browser sent an unusable session description."},
	"bad_candidate": {"Браузер прислал непригодный адрес.", "The browser sent an unusable address."},
	"too_many":      {"Слишком много адресов для одного соединения.", "Too many addresses for one connection."},
}

// refuse makes a refusal with the text of its code.
func refuse(code string) *Error {
	t := texts[code]
	return &Error{Code: code, Text: map[string]string{"ru": t[0], "en": t[1]}}
}

// refusalOf turns an error of Desk or Media into what the page may see; internal says that it must be logged.
func refusalOf(err error) (e *Error, internal bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, false
	}
	var coded interface {
		error
		Code() string
	}
	if errors.As(err, &coded) {
		if _, ok := texts[coded.Code()]; ok {
			return refuse(coded.Code()), false
		}
	}
	switch {
	case errors.Is(err, telephony.ErrNoCodec):
		return refuse(codeNoCodec), false
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(codeTimeout), true
	}
	return refuse(codeInternal), true
}
