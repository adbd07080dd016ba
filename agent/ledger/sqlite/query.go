package sqlite

import (
	"errors"
	"fmt"
	"strconv"
)

// JSON is an argument that is JSON, without a copy to a string: text, or what package packed has
// made of it, a blob. The two differ in their first byte.
type JSON []byte

// PositiveInt is an argument that is NULL unless it is above 0.
type PositiveInt int64

// NonZeroInt is an argument that is NULL if it is 0.
type NonZeroInt int64

// StatedText is an argument that is NULL if it is "".
type StatedText string

// Do runs a statement to its end; rows that it returns are dropped.
func (c *Conn) Do(sql string, args ...any) error {
	s, err := c.bound(sql, args)
	if err != nil {
		return err
	}
	defer s.reset()
	for {
		if more, err := s.step(); err != nil || !more {
			return err
		}
	}
}

// Each calls row for each row of a query. The row, and what its View returns, is good until
// row returns; an error of row ends the query. Inside row the same query cannot be run again.
func (c *Conn) Each(sql string, row func(*Row) error, args ...any) error {
	s, err := c.bound(sql, args)
	if err != nil {
		return err
	}
	defer s.reset()
	for {
		if more, err := s.step(); err != nil || !more {
			return err
		}
		if err := row(&s.Row); err != nil {
			return err
		}
	}
}

// First calls row for the first row of a query; found is false if there is none.
func (c *Conn) First(sql string, row func(*Row) error, args ...any) (found bool, err error) {
	s, err := c.bound(sql, args)
	if err != nil {
		return false, err
	}
	defer s.reset()
	if found, err = s.step(); err == nil && found {
		err = row(&s.Row)
	}
	return found, err
}

// Int returns the first column of the first row; found is false if there is none, or if it
// is NULL.
func (c *Conn) Int(sql string, args ...any) (v int64, found bool, err error) {
	_, err = c.First(sql, func(r *Row) error {
		v, found = r.Int(0), !r.IsNull(0)
		return nil
	}, args...)
	return v, found, err
}

// Ints returns the first column of each row.
func (c *Conn) Ints(sql string, args ...any) (list []int64, err error) {
	err = c.Each(sql, func(r *Row) error { list = append(list, r.Int(0)); return nil }, args...)
	return list, err
}

// Text returns the first column of the first row, "" if there is none.
func (c *Conn) Text(sql string, args ...any) (text string, err error) {
	_, err = c.First(sql, func(r *Row) error { text = r.Text(0); return nil }, args...)
	return text, err
}

// Texts returns the first column of each row.
func (c *Conn) Texts(sql string, args ...any) (list []string, err error) {
	err = c.Each(sql, func(r *Row) error { list = append(list, r.Text(0)); return nil }, args...)
	return list, err
}

// bound returns the statement for sql with its arguments. An argument must not be kept
// here, nor be handed to fmt: so those of a call stay on its stack.
func (c *Conn) bound(sql string, args []any) (*stmt, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	for i, arg := range args {
		at := i + 1
		switch v := arg.(type) {
		case int64:
			s.bindInt(at, v)
		case int:
			s.bindInt(at, int64(v))
		case string:
			s.bindText(at, v)
		case []byte:
			s.bindBlob(at, v)
		case JSON:
			if len(v) > 0 && v[0] < ' ' {
				s.bindBlob(at, v)
			} else {
				s.bindJSON(at, v)
			}
		case bool:
			s.bindBool(at, v)
		case PositiveInt:
			if s.bindNull(at); v > 0 {
				s.bindInt(at, int64(v))
			}
		case NonZeroInt:
			if s.bindNull(at); v != 0 {
				s.bindInt(at, int64(v))
			}
		case StatedText:
			if s.bindNull(at); v != "" {
				s.bindText(at, string(v))
			}
		case *Value:
			s.bindValue(at, v)
		default:
			s.reset()
			return nil, errors.New("ledger: " + s.verb + ": argument " + strconv.Itoa(at) + " is of a kind that no column has")
		}
	}
	return s, nil
}

// errInUse: a statement is run while its rows are still being read.
func errInUse(s *stmt) error { return fmt.Errorf("ledger: %s: its rows are still being read", s.verb) }
