package api

import (
	"errors"
	"net/http"
	"slices"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/people"
	"yuanlu/cmd/yuanlu-desk/store"
)

// ownPassword: who knows a person's password can do what he can, and two persons would be one
// human. Only at the machine of the desk is a password replaced that its owner chose.
var ownPassword = refusal{http.StatusConflict, "has_password", "This person has chosen a password already. A forgotten one is replaced on the desk's machine: yuanlu-desk people password.",
	"此人已自设密码。忘记密码时，请在案件台主机上运行 yuanlu-desk people password。"}

// firstPassword answers an admin with a password for a person who has none of his own yet; it
// must be changed at first use (casework.md § 13). The log names who and for whom, never it.
func (a *API) firstPassword(w http.ResponseWriter, r *http.Request, s *session) {
	var in struct{ Person string }
	if !a.body(w, r, &in) {
		return
	}
	one, err := a.o.Store.Person(r.Context(), in.Person)
	switch {
	case !slices.Contains(s.person.Roles, "admin"):
		a.refused(w, casework.NotAllowed)
		return
	case in.Person == s.Person:
		a.refused(w, casework.Self)
		return
	case errors.Is(err, store.ErrNotFound), err == nil && !one.Active:
		a.refused(w, casework.NotFound)
		return
	case err != nil:
		a.broken(w, r, err)
		return
	}
	password := people.FirstPassword()
	a.hashing <- struct{}{}
	hash := people.Hash(password)
	<-a.hashing
	switch err := a.o.Store.FirstLogin(r.Context(), in.Person, hash); {
	case errors.Is(err, store.ErrHand):
		a.refuse(w, ownPassword)
	case err != nil:
		a.broken(w, r, err)
	default:
		a.o.Log.Info("password.issued", "person", in.Person, "by", s.Person)
		a.respond(w, http.StatusOK, map[string]string{"login": in.Person, "password": password})
	}
}
