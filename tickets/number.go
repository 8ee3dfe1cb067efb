package tickets

// DialPlan is how numbers of one trunk (or of the people at their keyboards) are to be read.
type DialPlan struct {
	Region    string // ISO 3166; the default region is a property of the trunk, not of the code
	AreaCode  string // put before local numbers (N6)
	BareCodes bool   // country codes come without a plus (N5)
}
