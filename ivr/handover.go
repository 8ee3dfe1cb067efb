package ivr

import "time"

// hand gives the caller to another package and waits for resume.
func (m *machine) hand(n *node) {
	m.fills = nil
	var exits []string
	for _, x := range n.step.exits() {
		exits = append(exits, x.name)
	}
	switch s := n.step.(type) {
	case *queueStep:
		m.handQueue(m.queueReq(n, s), exits)
	case *voicemailStep:
		v := &VoicemailReq{Max: s.max, Min: s.min, Silence: s.silence, Terminator: s.terminator, Queue: s.queue, Lang: m.st.Lang}
		m.fills = append(m.fills, fill{&v.Prompt, m.utter(s.prompt)})
		m.handOver(Outcome{Kind: KindVoicemail, Exits: exits, Voicemail: v})
	case *transferStep:
		to, err := m.eval(s.number, nil)
		req := &TransferReq{Ring: s.ring, Lang: m.st.Lang}
		req.Number, _ = to.(string)
		if err == nil && s.callerID != nil {
			var id any
			id, err = m.eval(s.callerID, nil)
			req.CallerID, _ = id.(string)
		}
		if err != nil || req.Number == "" {
			m.emit(effect{kind: doLog, text: "transfer without a number"})
			m.take(ExitFailed, "", s.failed)
			return
		}
		m.handOver(Outcome{Kind: KindTransfer, Exits: exits, Transfer: req})
	}
}

func (m *machine) queueReq(n *node, s *queueStep) *QueueReq {
	q := &QueueReq{Name: s.name, Priority: m.st.Priority, MaxWait: s.maxWait, Announce: s.announce}
	if s.priority != nil {
		if v, err := m.eval(s.priority, nil); err == nil {
			q.Priority = int(toFloat(v))
		}
	}
	for _, r := range s.skills {
		name := m.st.Lang
		if r.name != "lang" {
			name, _ = m.st.frame().Vars[r.name].(string)
		}
		if name != "" {
			if q.Skills == nil {
				q.Skills = map[string]int{}
			}
			q.Skills[name] = 1
		}
	}
	music := s.moh
	if music == "" {
		music = m.st.MOH
	}
	q.MOH = m.set.Music(music)
	if len(s.whisper) > 0 {
		m.fills = append(m.fills, fill{&q.Whisper, m.utter(s.whisper)})
	}
	q.Offers = make([]Offer, len(s.offers))
	for i, o := range s.offers {
		q.Offers[i] = Offer{Key: o.key, After: o.after, Max: o.max, Exit: offerName(i)}
		m.fills = append(m.fills, fill{&q.Offers[i].Prompt, m.utter(o.prompt)})
	}
	return q
}

// handQueue keeps the time of the first entry into this queue: leaving and coming back costs nothing.
func (m *machine) handQueue(q *QueueReq, exits []string) {
	since, ok := m.st.QueueSince[q.Name]
	if !ok {
		since = m.now
		m.st.QueueSince[q.Name] = since
	}
	q.Since, q.Lang = since, m.st.Lang
	m.answer()
	m.handOver(Outcome{Kind: KindQueue, Exits: exits, Queue: q})
}

func (m *machine) handOver(o Outcome) {
	m.stop()
	m.deadline, m.keys = time.Time{}, nil
	m.st.Phase = PhaseAway
	o.Flow, o.Node = m.st.frame().Flow, m.st.frame().Node
	m.away = o
	m.clock()
	m.emit(effect{kind: doHand, out: o, fill: m.fills})
	m.fills = nil
}

// handAgain gives the outcome of a run that is away: the same value, or, after a restart, made anew.
func (m *machine) handAgain() {
	switch {
	case m.away.Kind != "":
		m.emit(effect{kind: doHand, out: m.away})
		m.clock()
	case m.st.frame().Node == nodeDirect:
		m.direct()
	case m.st.frame().Node == nodeFallback:
		m.handQueue(&QueueReq{Name: m.st.Route.FallbackQueue, Fallback: true, MOH: m.set.Music(m.st.MOH)}, []string{ExitTimeout, ExitFull, ExitNoAgents})
	case m.node() != nil && m.node().step != nil:
		m.hand(m.node())
	default:
		m.fault("no node " + m.st.frame().Node)
	}
}

// direct is a route without a flow.
func (m *machine) direct() {
	m.st.Entered = m.now
	if len(m.st.Path) == 0 {
		m.st.Path = append(m.st.Path, PathStep{Node: nodeDirect, At: m.now})
		m.trace(Step{Kind: StepEntered})
	}
	m.handQueue(&QueueReq{Name: m.st.Route.Queue, Priority: m.st.Priority, MOH: m.set.Music(""),
		Announce: Announce{First: 15 * time.Second, Every: time.Minute, PositionMax: 10, WaitRound: time.Minute, WaitMax: 30 * time.Minute}},
		[]string{ExitTimeout, ExitFull, ExitNoAgents})
}

// offerOpen reports whether an offer may be heard now: its condition holds and it was not heard too often.
func (m *machine) offerOpen(o Offer) bool {
	s, ok := stepOf(m).(*queueStep)
	if !ok {
		return false
	}
	for i, d := range s.offers {
		if offerName(i) != o.Exit {
			continue
		}
		if d.max > 0 && m.st.Offered[m.offerID(o)] >= d.max {
			return false
		}
		if d.when == nil {
			return true
		}
		v, err := m.eval(d.when, nil)
		b, _ := v.(bool)
		return err == nil && b
	}
	return false
}

func (m *machine) offerID(o Offer) string {
	return m.st.frame().Flow + "/" + m.st.frame().Node + "/" + o.Exit
}

func stepOf(m *machine) step {
	if n := m.node(); n != nil {
		return n.step
	}
	return nil
}
