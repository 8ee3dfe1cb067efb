package queue_test

import (
	"context"
	"fmt"

	"hotline/queue"
)

// A caller enters, an agent is reserved at once, answers, talks, and is free again.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	e := queue.New(queue.Config{})
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()

	_ = e.SetQueues(ctx, []queue.Queue{{Key: "support"}})
	_ = e.SetAgents(ctx, []queue.Agent{{Login: "agent1", Queues: []queue.Membership{{Queue: "support", Level: 1}}}})
	_ = e.Connection(ctx, "agent1", queue.Online)
	_ = e.SetAgentState(ctx, "agent1", queue.Available, "", "agent1", queue.Now)

	place, err := e.Enter(ctx, queue.Entry{Call: "01J9", Queue: "support"})
	if err != nil {
		fmt.Println("no place:", err)
		return
	}
	defer place.Leave(queue.LeftAbandoned) // harmless once the call was answered
	for {
		ev, err := place.Next(ctx)
		if err != nil {
			return
		}
		if ev.Kind != queue.Offered {
			continue // a position, or an offer taken back
		}
		fmt.Println("ring", ev.Offer.Agent, "for", ev.Offer.RingFor)
		if e.OfferConnected(ctx, ev.Offer.ID) == nil { // bridged: the wait ends
			break
		}
	}
	_ = e.ContactEnded(ctx, "01J9", "agent1")
	st, _ := e.QueueStat(ctx, "support")
	fmt.Println("answered", st.Today.A, "available", st.Available)
	stop()
	<-ended
	// Output:
	// ring agent1 for 20s
	// answered 1 available 1
}
