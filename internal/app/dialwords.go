package app

import (
	"context"
	"errors"
	"net/http"

	"hotline/queue"
	"hotline/telephony"
	"hotline/tickets"
)

// dialRefusal says why nothing was called, in words for the agent: what is the matter, and what to do.
type dialRefusal struct {
	code, field string
	status      int // of the HTTP answer
	ru, en      string
	err         error
}

// Error implements error.
func (r *dialRefusal) Error() string { return "call out: " + r.err.Error() }

// Unwrap gives the cause.
func (r *dialRefusal) Unwrap() error { return r.err }

// refuseDial puts the refusals of policy, caps and queue engine into words. What it does not know it returns as it is.
func refuseDial(err error) error {
	say := func(status int, code, ru, en string) error {
		field := ""
		if status == http.StatusUnprocessableEntity {
			field = "number"
		}
		return &dialRefusal{code: code, field: field, status: status, ru: ru, en: en, err: err}
	}
	if e, ok := errors.AsType[*tickets.Error](err); ok {
		return say(ticketStatus[e.Code], string(e.Code), ticketWords(e), e.Message)
	}
	switch {
	case errors.Is(err, errNoNumber):
		return say(422, "number_invalid", "Это не похоже на телефонный номер: наберите его целиком, с кодом", "This is no telephone number: write it in full, with its code")
	case errors.Is(err, errBlocked), errors.Is(err, errPremium), errors.Is(err, errCountry):
		return say(422, "number_refused", "На такие номера звонить нельзя: они платные или закрыты правилами компании. Спросите администратора",
			"Such numbers are not called: they cost extra, or the company's rules exclude them. Ask the administrator")
	case errors.Is(err, errOwnNumber):
		return say(422, "own_number", "Это наш собственный номер", "This is one of our own numbers")
	case errors.Is(err, errAgentDials):
		return say(409, "agent_busy", "Вы уже звоните: завершите этот вызов", "You are calling already: end that call first")
	case errors.Is(err, errTooMany):
		return say(429, "too_many_calls", "Слишком много исходящих звонков за час. Подождите или спросите администратора", "Too many calls out within an hour. Wait, or ask the administrator")
	case errors.Is(err, errStopping):
		return say(503, "stopping", "Сервер останавливается: позвоните через минуту", "The server is stopping: call in a minute")
	case errors.Is(err, queue.ErrWrongState), errors.Is(err, queue.ErrAgentBusy):
		return say(409, "agent_busy", "Сейчас звонить нельзя: вы в разговоре, в завершении звонка или не на смене", "Not possible now: you are in a call, in wrap-up or off shift")
	case errors.Is(err, queue.ErrNotConnected):
		return say(409, "not_connected", "Нет связи с вашим телефоном: обновите страницу", "Your telephone is not connected: reload the page")
	}
	return err
}

var ticketStatus = map[tickets.Code]int{tickets.CodeNotFound: 404, tickets.CodeConflict: 409, tickets.CodeInvalid: 422, tickets.CodeForbidden: 403}

// ticketWords says in Russian why the ticket engine does not let somebody call.
func ticketWords(e *tickets.Error) string {
	switch e.Code {
	case tickets.CodeNotFound:
		return "Такого тикета, контакта или звонка нет"
	case tickets.CodeForbidden:
		return "Этот номер не записан за клиентом: сначала добавьте его в контакт"
	case tickets.CodeConflict:
		if who, ok := e.Detail.(*tickets.AgentRef); ok && who != nil {
			return "По этому номеру уже звонит " + who.Name
		}
		return "По этому номеру уже перезвонили, или его взял другой сотрудник"
	}
	if e.Field == "call" {
		return "Номер этого клиента скрыт"
	}
	return "Здесь нет номера, по которому можно позвонить"
}

// dialFailed is a call out that came to no talk: its name (a metric label and call.end's why), its end, and the words.
type dialFailed struct {
	why  string
	end  telephony.End
	text map[string]string
}

// dialFailure judges why a call out came to no talk.
func dialFailure(err error) dialFailed {
	say := func(why string, result telephony.Result, reason telephony.Reason, by telephony.Side, ru, en string) dialFailed {
		return dialFailed{why, telephony.End{Result: result, Reason: reason, By: by}, map[string]string{"ru": ru, "en": en}}
	}
	const system, customer, agent = telephony.SideSystem, telephony.SideCustomer, telephony.SideAgent
	switch {
	case errors.Is(err, errGivenUp):
		return say("cancelled", telephony.ResultSuccess, telephony.ReasonCancelled, agent, "Вызов отменён", "The call was cancelled")
	case errors.Is(err, errStopping), errors.Is(err, context.Canceled):
		return say("stopping", telephony.ResultServer, telephony.ReasonDraining, system, "Сервер останавливается: позвоните через минуту", "The server is stopping: call in a minute")
	case errors.Is(err, errNoSound):
		return say("no_sound", telephony.ResultServer, telephony.ReasonError, agent, "С вашей страницы не идёт звук: проверьте микрофон и позвоните ещё раз. Клиенту мы не звонили",
			"No sound comes from your page: check the microphone and call again. The customer was not called")
	case errors.Is(err, errDeskDead):
		return say("no_phone", telephony.ResultServer, telephony.ReasonError, agent, "Ваш телефон не ответил: снимите трубку, когда он зазвонит. Клиенту мы не звонили",
			"Your telephone did not answer: pick it up when it rings. The customer was not called")
	case errors.Is(err, errNoTrunkOut):
		return say("no_trunk", telephony.ResultServer, telephony.ReasonUnreachable, system, "Нет линии для исходящих звонков: администратору нужно указать её адрес (Настройки, Линии)",
			"No trunk takes calls out: the administrator has to set the host of one (Settings, Trunks)")
	case errors.Is(err, telephony.ErrBusy):
		return say("busy", telephony.ResultCaller, telephony.ReasonBusy, customer, "Занято. Попробуйте через несколько минут или напишите клиенту", "Busy. Try again in some minutes, or write to the customer")
	case errors.Is(err, telephony.ErrNoAnswer):
		return say("no_answer", telephony.ResultCaller, telephony.ReasonNoAnswer, customer, "Клиент не отвечает. Попробуйте позже или напишите ему", "The customer does not answer. Try later, or write to them")
	case errors.Is(err, telephony.ErrRefused):
		return say("refused", telephony.ResultCaller, telephony.ReasonRejected, customer, "Вызов отклонён: клиент сбросил его, или номер не существует. Проверьте номер",
			"The call was refused: the customer declined, or there is no such number. Check the number")
	case errors.Is(err, telephony.ErrUnreachable), errors.Is(err, telephony.ErrNoCodec):
		return say("unreachable", telephony.ResultUpstream, telephony.ReasonUnreachable, system, "Связи с оператором линии нет. Повторите; если не поможет, сообщите администратору",
			"The line's provider cannot be reached. Try again; if that does not help, tell the administrator")
	}
	return say("error", telephony.ResultServer, telephony.ReasonError, system, "Позвонить не удалось из-за ошибки сервера. Повторите; если не поможет, сообщите администратору",
		"The call failed by an error of the server. Try again; if that does not help, tell the administrator")
}
