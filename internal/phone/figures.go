package phone

import (
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// figureEvery is how often one topic is sent at most.
const figureEvery = time.Second

const (
	topicPrefix = "stat."
	boardPrefix = "board:"
	maxTopics   = 256 // known at once; boards are few
)

// figures are the live topics. Each frame holds the topic's whole list: a team's lists have some kilobytes, and a page
// that shows a list need not merge. When lists grow, differences can go into frames with a field of their own.
type figures struct {
	mu     sync.Mutex // guards topics
	topics map[string]*figure
	wake   chan struct{} // size 1
}

type figure struct {
	frame   []byte // the latest
	sent    time.Time
	pending bool
}

// SendTopic sends live figures (stat.queues, stat.agents, stat.calls, stat.board:ID) to the tabs that subscribed to
// them, at most once a second and topic; of several in that second the last one counts. d is the whole list. It never
// blocks. Who subscribes later gets the latest at once.
func (h *Hub) SendTopic(topic string, d any) {
	data, err := json.Marshal(d)
	if err != nil {
		h.log.Error("encode figures", "topic", topic, "err", err)
		return
	}
	h.figures.mu.Lock()
	f := h.figures.topics[topic]
	if f == nil && len(h.figures.topics) < maxTopics {
		f = &figure{}
		h.figures.topics[topic] = f
	}
	if f != nil {
		f.frame, f.pending = eventFrame(topic, 0, false, data), true
	}
	h.figures.mu.Unlock()
	select {
	case h.figures.wake <- struct{}{}:
	default:
	}
}

// runFigures is the figures goroutine; it ends with the hub.
func (h *Hub) runFigures() {
	defer h.background.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-h.figures.wake:
		case <-timer.C:
		}
		due, next := h.figures.due(time.Now())
		for topic, f := range due {
			h.publish(topic, f)
		}
		timer.Reset(next)
	}
}

// due returns what may be sent now, marked as sent, and how long to wait for the rest.
func (f *figures) due(now time.Time) (due map[string][]byte, next time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	due, next = map[string][]byte{}, time.Hour
	for topic, fig := range f.topics {
		if !fig.pending {
			continue
		}
		if wait := fig.sent.Add(figureEvery).Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		due[topic], fig.sent, fig.pending = fig.frame, now, false
	}
	return due, next
}

// latest returns the newest frame of a topic; nil: none yet.
func (f *figures) latest(topic string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fig := f.topics[topic]; fig != nil {
		return fig.frame
	}
	return nil
}

func (h *Hub) publish(topic string, frame []byte) {
	h.mu.Lock()
	all := make([]*session, 0, len(h.sessions))
	for _, s := range h.sessions {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		for _, tb := range s.tabs {
			if tb.sock != nil && tb.sock.topics[topic] {
				tb.sock.figures(frame)
			}
		}
		s.mu.Unlock()
	}
}

// subscribe replaces the tab's list of topics. What the person may not see is named in the reply.
func (h *Hub) subscribe(s *session, sock *socket, who Who, f frame) (any, error) {
	var q struct {
		Topics []string `json:"topics"`
	}
	if err := f.data(&q); err != nil {
		return nil, err
	}
	accepted, refused := []string{}, []string{}
	topics := map[string]bool{}
	for _, t := range q.Topics {
		if len(accepted) >= 32 || !mayWatch(who, t) {
			refused = append(refused, t)
			continue
		}
		accepted = append(accepted, t)
		topics[topicPrefix+t] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[string]bool{}
	for t := range topics {
		fresh[t] = !sock.topics[t]
	}
	sock.topics = topics
	for t, isNew := range fresh {
		if frame := h.figures.latest(t); isNew && frame != nil {
			sock.figures(frame)
		}
	}
	return map[string]any{"topics": accepted, "refused": refused}, nil
}

// mayWatch: queues and colleagues for everybody, callers' numbers for supervisors.
func mayWatch(who Who, topic string) bool {
	switch {
	case topic == "queues" || topic == "agents":
		return true
	case topic == "calls":
		return who.Has(bossRoles...)
	case strings.HasPrefix(topic, boardPrefix):
		return len(topic) <= 64
	}
	return false
}
