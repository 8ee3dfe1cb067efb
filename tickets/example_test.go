package tickets_test

import (
	"fmt"

	"hotline/tickets"
)

// A number is read by the plan of the trunk it came through; the rows that spoke are kept with it.
func ExampleParseNumber() {
	trunk := tickets.DialPlan{Region: "RU", AreaCode: "495"}
	for _, raw := range []string{"sip:84951234567@10.0.0.1", "123-45-67", "2001", "anonymous"} {
		n := tickets.ParseNumber(raw, trunk)
		fmt.Printf("%q %q %s\n", n.E164, n.Ext, n.Rule())
	}
	// Output:
	// "+74951234567" "" N2 N4
	// "+74951234567" "" N6
	// "" "2001" N3
	// "" "" N1
}

// A ticket number carries a check digit: a slip is refused instead of opening somebody else's ticket.
func ExampleParseTicketNumber() {
	fmt.Println(tickets.ParseTicketNumber("#48 21-70"))
	fmt.Println(tickets.ParseTicketNumber("four eight two one seven zero"))
	fmt.Println(tickets.ParseTicketNumber("482710"))
	// Output:
	// 482170 true
	// 482170 true
	//  false
}

// Every automatic step names its rule, and every rule has its words.
func ExampleReasonText() {
	fmt.Println(tickets.ReasonText("A13 A14", "en"))
	fmt.Println(tickets.ReasonText("A6", "ru"))
	// Output:
	// A missed call: a new ticket. A voice message was left
	// Единственный тикет, где ждём этого клиента
}
