package tickets

import "strings"

// reasons says every rule in words for the people who work with the result.
var reasons = map[string]Text{
	"N1": {"Номер скрыт", "The number is withheld"},
	"N2": {"Номер взят из SIP-адреса", "The number was taken out of a SIP address"},
	"N3": {"Внутренний или короткий номер", "An internal or short number"},
	"N4": {"Номер прочитан по правилам страны линии", "Read by the numbering plan of the trunk's country"},
	"N5": {"Линия передаёт код страны без плюса", "The trunk sends country codes without a plus"},
	"N6": {"Местный номер: добавлен код города линии", "A local number: the trunk's area code was put in front"},
	"N7": {"Номер не распознан, сравнивается как есть", "Not a valid number; compared as it came"},
	"N8": {"Учтено и другое написание номера", "Another spelling of the number counts too"},
	"N9": {"Вызов переадресован: взят первоначальный номер", "A diverted call: the original caller counts"},

	"L0":  {"Наш собственный номер или внутренний вызов", "Our own number, or an internal call"},
	"L1":  {"Номер скрыт", "The number is withheld"},
	"L2":  {"Номер заблокирован", "The number is blocked"},
	"L3":  {"Клиент набрал номер тикета, к которому имеет доступ", "The caller keyed a ticket they have access to"},
	"L4":  {"Номер принадлежит одному контакту", "Exactly one contact owns the number"},
	"L5":  {"Номер контакта в другом написании", "The contact's number in another spelling"},
	"L6":  {"Общий номер: звонить могут несколько человек", "A shared number: several people may be calling"},
	"L7":  {"Номер указан у нескольких контактов", "Several contacts claim the number"},
	"L8":  {"Номер встречался в переписке: возможно, это они", "The number was seen in messages: maybe it is them"},
	"L9":  {"Номер встречался у слишком многих, это не признак", "Seen with too many contacts to mean anything"},
	"L10": {"Известно только имя, переданное сетью", "Only a name given by the network"},
	"L11": {"Новый номер", "A new number"},

	"A0a": {"По таким звонкам тикеты не создаются", "Such calls never make a ticket"},
	"A0b": {"Звонок уже связан", "The call was linked already"},
	"A1":  {"Звонок сделан из тикета", "The call was dialled from the ticket"},
	"A2":  {"Клиент набрал номер своего тикета в меню", "The caller keyed the number of their ticket in the menu"},
	"A3":  {"Набран номер чужого или неизвестного тикета: подтвердите личность", "A ticket was keyed that this number has no access to: confirm who is calling"},
	"A4":  {"По этому номеру есть тикет о пропущенном звонке", "There is an open missed-call ticket of this number"},
	"A5":  {"Мы звонили на этот номер из тикета за последние сутки", "We called this number from the ticket within 24 hours"},
	"A6":  {"Единственный тикет, где ждём этого клиента", "The one ticket that waits for this customer"},
	"A7":  {"Единственный свежий открытый тикет клиента", "The customer's only fresh open ticket"},
	"A8":  {"Подходит несколько тикетов или только старые: выберите", "Several tickets fit, or only old ones: choose"},
	"A8a": {"Номер скрыт: тикет без контакта", "The number is withheld: a ticket without a contact"},
	"A9":  {"Подходящих тикетов нет: новый", "No ticket fits: a new one"},
	"A10": {"Положили трубку в меню или сразу: только запись о звонке", "Hung up in the menu or at once: the call is kept, no ticket"},
	"A11": {"Повторный пропущенный звонок с того же номера", "Another missed call of the same number"},
	"A12": {"Пропущенный звонок клиента с открытым тикетом", "A missed call of a customer with an open ticket"},
	"A13": {"Пропущенный звонок: новый тикет", "A missed call: a new ticket"},
	"A14": {"Оставлено голосовое сообщение", "A voice message was left"},
	"A15": {"Исходящий звонок без ответа", "An outbound call that was not answered"},
	"A16": {"Время на завершение истекло без выбора", "The wrap-up time ran out without a choice"},

	"G6": {"Клиент вернулся до истечения срока: тикет открыт снова", "The customer came back within the window: reopened"},
	"G7": {"Срок возобновления истёк: новый тикет", "Beyond the reopen window: a follow-up ticket"},

	"agent": {"Решение сотрудника", "An agent decided"},
	"undo":  {"Решение отменено сотрудником", "An agent took the decision back"},
}

// Reason says a rule in both languages. Several rules separated by blanks give one sentence each. An unknown rule gives
// the zero Text.
func Reason(rule string) Text {
	var ru, en []string
	for id := range strings.FieldsSeq(rule) {
		if t, ok := reasons[id]; ok {
			ru, en = append(ru, t.RU), append(en, t.EN)
		}
	}
	return Text{RU: strings.Join(ru, ". "), EN: strings.Join(en, ". ")}
}

// ReasonText says a rule in words: lang ru, else English. Empty for an unknown rule.
func ReasonText(rule, lang string) string { return Reason(rule).In(lang) }
